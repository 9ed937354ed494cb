import { expect } from 'chai';
import { turns } from '../support/manual-clock.js';
import { benchOf, jobOf, scriptedHandler } from './support/pool-bench.js';
import { createDelivery } from './support/scripted-broker.js';

function setup() {
  const script = scriptedHandler();
  return { ...benchOf([script.handler]), script };
}

const warnings = (lines: ReturnType<typeof setup>['lines']) => lines.filter((line) => line.level === 'warn');

describe('the orders of operators', () => {
  it('are listened for first, then read, and only then is anything consumed', async () => {
    const { pool, registers, broker } = setup();
    let read: () => void = () => {};
    registers.reading = new Promise((resolve) => {
      read = resolve;
    });
    const started = pool.start();
    await turns();
    expect([registers.calls, broker.calls]).to.deep.equal([['listen', 'read'], []]);
    read();
    await started;
    expect(broker.sources).to.have.length(3);
  });

  it('are tried again while they cannot be read; nothing is consumed, and health says why', async () => {
    const { pool, registers, broker, clock, lines } = setup();
    registers.failure = new Error('no such host');
    const started = pool.start();
    await clock.advance(5000);
    await started;
    expect(pool.health()).to.deep.equal({
      ok: false,
      reason:
        'the worker pool does not consume yet: news of orders cannot be listened for: no such host; ' +
        'no job is run before they are known',
    });
    expect([broker.calls, warnings(lines).length]).to.deep.equal([[], 1]);
    registers.failure = undefined;
    await clock.advance(30_000);
    expect(broker.sources).to.have.length(3);
    expect(pool.health()).to.deep.equal({ ok: true });
  });

  it('are read by and by when the store is away at start, and lanes that are refused then are opened in the end', async () => {
    const { pool, registers, broker, clock } = setup();
    let read: () => void = () => {};
    registers.reading = new Promise((resolve) => {
      read = resolve;
    });
    const started = pool.start();
    await clock.advance(5000);
    await started;
    broker.consumeFailure = new Error('not now');
    read();
    await clock.advance(1000);
    expect(pool.health()).to.have.property('ok', false);
    broker.consumeFailure = undefined;
    await clock.advance(1000);
    expect(broker.sources).to.have.length(3);
  });

  it('are read again at each announcement, one read at a time, and once more for all that came meanwhile', async () => {
    const { pool, registers } = setup();
    await pool.start();
    expect(registers.reads).to.equal(1);
    let read: () => void = () => {};
    registers.reading = new Promise((resolve) => {
      read = resolve;
    });
    registers.announce();
    await turns();
    for (let n = 0; n < 10; n++) registers.announce();
    await turns();
    expect(registers.reads).to.equal(2);
    read();
    await turns();
    expect([registers.reads, registers.readsAtOnce]).to.deep.equal([3, 1]);
  });

  it('are read again every 30 s without any announcement', async () => {
    const { pool, registers, clock } = setup();
    await pool.start();
    await clock.advance(29_999);
    expect(registers.reads).to.equal(1);
    await clock.advance(1);
    expect(registers.reads).to.equal(2);
  });

  it('hold on when they cannot be read again: said once in the log and as a note in health, until they can', async () => {
    const { pool, registers, broker, clock, lines, script } = setup();
    const job = jobOf();
    registers.cancels = [{ id: job.id, run: 1 }];
    await pool.start();
    registers.cancels = [];
    registers.failure = new Error('the database is away');
    registers.announce();
    await clock.advance(60_000);
    expect(registers.reads).to.be.above(3);
    expect(warnings(lines)).to.have.length(1);
    expect(pool.health()).to.deep.equal({
      ok: true,
      note: 'the orders of operators cannot be read: the database is away; those read before hold',
    });
    expect(await broker.deliver(job).settled).to.deep.equal({ kind: 'acked' });
    broker.deliver(jobOf());
    await script.call(0);
    registers.failure = undefined;
    await clock.advance(30_000);
    expect(pool.health()).to.deep.equal({ ok: true });
  });

  it('are neither read nor listened for once the pool is stopped', async () => {
    const { pool, registers, clock } = setup();
    await pool.start();
    await pool.stop();
    expect(registers.listeners).to.equal(0);
    registers.announce();
    await clock.advance(60_000);
    expect([registers.reads, clock.waiting]).to.deep.equal([1, 0]);
  });

  it('do not keep a stop waiting while they cannot be read', async () => {
    const { pool, registers, broker, clock } = setup();
    registers.reading = new Promise(() => {});
    void pool.start();
    await turns();
    await pool.stop();
    await turns();
    expect([broker.calls, clock.waiting]).to.deep.equal([[], 0]);
  });
});

describe('a cancelled job', () => {
  it('is settled without being run when it is delivered, and its payload is told', async () => {
    const { pool, registers, broker, script, book, seen, clock } = setup();
    const job = jobOf({ payload: { n: 1 }, run: 2 });
    registers.cancels = [{ id: job.id, run: 2 }];
    await pool.start();
    expect(await broker.deliver(job).settled).to.deep.equal({ kind: 'acked' });
    await turns();
    expect(script.calls).to.have.length(0);
    expect(book.events).to.deep.equal([
      {
        id: job.id,
        type: 'work',
        queue: 'default',
        lane: 'normal',
        run: 2,
        attempt: 1,
        dueAtMs: job.dueAtMs,
        atMs: clock.now(),
        kind: 'cancelled',
        failure: { name: 'Cancelled', code: 'cancelled', message: 'cancelled on request' },
        payload: '{"n":1}',
      },
    ]);
    expect(seen).to.deep.include({ started: [], settled: [[job.id, 'cancelled', 0]] });
  });

  it('is only the run that was meant: a replay runs', async () => {
    const { pool, registers, broker, script } = setup();
    const job = jobOf({ run: 2 });
    registers.cancels = [{ id: job.id, run: 1 }];
    await pool.start();
    broker.deliver(job);
    await script.call(0);
  });

  it('is settled at once while it waits for a slot, when the order comes', async () => {
    const { pool, registers, broker, script } = setup();
    await pool.start();
    broker.deliver(jobOf());
    broker.deliver(jobOf());
    const waiting = broker.deliver(jobOf());
    const other = broker.deliver(jobOf());
    await script.call(1);
    registers.cancels = [{ id: waiting.job.id, run: 1 }];
    registers.announce();
    expect(await waiting.settled).to.deep.equal({ kind: 'acked' });
    script.calls[0]?.resolve();
    expect((await script.call(2)).job.id).to.equal(other.job.id);
  });

  it('goes to the dead letters when it has no JSON payload that could be kept', async () => {
    const { pool, registers, broker } = setup();
    const job = jobOf({ body: Buffer.from('{"a":') });
    registers.cancels = [{ id: job.id, run: 1 }];
    await pool.start();
    expect(await broker.deliver(job).settled).to.have.nested.property('death.reason', 'undecodable');
  });

  for (const [what, change] of [
    ['expired', { expiresAtMs: 1 }],
    ['of an unknown type', { type: 'new.type' }],
  ] as const) {
    it(`is cancelled also when it is ${what}`, async () => {
      const { pool, registers, broker, book } = setup();
      const job = jobOf(change);
      registers.cancels = [{ id: job.id, run: 1 }];
      await pool.start();
      expect(await broker.deliver(job).settled).to.deep.equal({ kind: 'acked' });
      expect(book.kinds()).to.deep.equal(['cancelled']);
    });
  }

  describe('that runs', () => {
    async function running() {
      const bench = setup();
      await bench.pool.start();
      const delivery = bench.broker.deliver(jobOf());
      const call = await bench.script.call(0);
      bench.registers.cancels = [{ id: delivery.job.id, run: 1 }];
      bench.registers.announce();
      await turns();
      return { ...bench, delivery, call };
    }

    it('has its signal aborted as cancelled, and is cancelled whatever it throws then', async () => {
      const { call, delivery, book, clock } = await running();
      expect(call.context.signal.reason).to.have.property('name', 'Cancelled');
      expect(delivery.asked).to.deep.equal([]);
      call.reject(new Error('interrupted'));
      expect(await delivery.settled).to.deep.equal({ kind: 'acked' });
      expect(book.events.at(-1)).to.include({ kind: 'cancelled', startedAtMs: clock.now(), payload: 'null' });
    });

    it('has succeeded when it comes to its result all the same', async () => {
      const { call, delivery, book } = await running();
      call.resolve('done');
      expect(await delivery.settled).to.deep.equal({ kind: 'acked' });
      expect(book.events.at(-1)).to.include({ kind: 'succeeded', result: '"done"' });
    });

    it('is cancelled and loses its slot after the grace when it ignores its signal', async () => {
      const { delivery, book, clock, pool, lines } = await running();
      await clock.advance(999);
      expect([delivery.asked, pool.stats.queues[0]?.active]).to.deep.equal([[], 1]);
      await clock.advance(1);
      expect(await delivery.settled).to.deep.equal({ kind: 'acked' });
      expect([book.kinds().at(-1), pool.stats.queues[0]?.active]).to.deep.equal(['cancelled', 0]);
      expect(lines.filter((line) => line.level === 'error')).to.have.length(1);
    });

    it('is cancelled, not returned, when the worker stops meanwhile', async () => {
      const { call, delivery, pool } = await running();
      const stopped = pool.stop();
      call.reject(new Error('interrupted'));
      expect(await delivery.settled).to.deep.equal({ kind: 'acked' });
      await stopped;
    });

    it('is cancelled as its next attempt when the order comes while its failure is on its way', async () => {
      const { pool, broker, script, registers, book } = setup();
      await pool.start();
      const delivery = broker.deliver(jobOf());
      (await script.call(0)).reject(new Error('down'));
      const settlement = await delivery.settled;
      if (settlement.kind !== 'retried') throw new Error(settlement.kind);
      registers.cancels = [{ id: delivery.job.id, run: 1 }];
      registers.announce();
      await turns();
      expect(await broker.deliver(settlement.next).settled).to.deep.equal({ kind: 'acked' });
      expect(book.kinds()).to.deep.equal(['started', 'retried', 'cancelled']);
      expect(book.events.at(-1)).to.have.property('attempt', 2);
    });
  });
});

describe('a purged queue', () => {
  it('has the jobs that were due by then cancelled instead of run', async () => {
    const { pool, registers, broker, script, clock, book } = setup();
    const purgedThroughMs = clock.now() + 10;
    registers.queues = [{ queue: 'default', isPaused: false, purgedThroughMs }];
    await pool.start();
    const old = broker.deliver(jobOf({ dueAtMs: purgedThroughMs }));
    expect(await old.settled).to.deep.equal({ kind: 'acked' });
    expect(book.events).to.have.length(1);
    expect(book.events[0]).to.have.nested.property('failure.code', 'purged');
    broker.deliver(jobOf({ dueAtMs: purgedThroughMs + 1 }));
    await script.call(0);
  });

  it('has its suspects cancelled, too', async () => {
    const { pool, registers, broker, clock } = setup();
    registers.queues = [{ queue: 'default', isPaused: false, purgedThroughMs: clock.now() }];
    const suspect = createDelivery(jobOf(), 2);
    broker.suspects.push(suspect);
    await pool.start();
    expect(await suspect.settled).to.deep.equal({ kind: 'acked' });
  });

  it('lets what runs go on', async () => {
    const { pool, registers, broker, script, clock } = setup();
    await pool.start();
    const delivery = broker.deliver(jobOf());
    const call = await script.call(0);
    registers.queues = [{ queue: 'default', isPaused: false, purgedThroughMs: clock.now() + 1 }];
    registers.announce();
    await turns();
    expect(call.context.signal.aborted).to.equal(false);
    call.resolve();
    expect(await delivery.settled).to.deep.equal({ kind: 'acked' });
  });
});
