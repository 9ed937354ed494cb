import { expect } from 'chai';
import type { Handler } from '../../src/handler/define.js';
import { Cancelled, DeadLetter } from '../../src/job/errors.js';
import { createMask } from '../../src/runtime/mask.js';
import { turns } from '../support/manual-clock.js';
import { benchOf, graceMs, jobOf, scriptedHandler } from './support/pool-bench.js';

async function setup(options: Parameters<typeof benchOf>[1] = {}, fields: Partial<Handler> = {}) {
  const script = scriptedHandler(fields);
  const bench = benchOf([script.handler], options);
  await bench.pool.start();
  const begin = async (job = jobOf()) => {
    const index = script.calls.length;
    const delivery = bench.broker.deliver(job);
    return { job, delivery, call: await script.call(index) };
  };
  return { ...bench, script, begin };
}

const kinds = (delivery: { readonly asked: readonly { readonly kind: string }[] }): string[] =>
  delivery.asked.map((settlement) => settlement.kind);

describe('what the worker says of a job', () => {
  it('is that it has started and succeeded, each naming the job in full, with its result', async () => {
    const { begin, clock, book } = await setup();
    const { call, job, delivery } = await begin(jobOf({ run: 2, attempt: 3, lane: 'high', payload: 'in' }));
    const about = {
      id: job.id,
      type: 'work',
      queue: 'default',
      lane: 'high',
      run: 2,
      attempt: 3,
      dueAtMs: job.dueAtMs,
    };
    const startedAtMs = clock.now();
    await clock.advance(40);
    call.resolve({ rows: [1, 'ü'] });
    await delivery.settled;
    expect(book.events).to.deep.equal([
      { ...about, atMs: startedAtMs, kind: 'started' },
      { ...about, atMs: startedAtMs + 40, kind: 'succeeded', startedAtMs, result: '{"rows":[1,"ü"]}' },
    ]);
  });

  it('is when it is tried again, and why', async () => {
    const { begin, clock, book } = await setup();
    const { call, delivery } = await begin();
    call.reject(Object.assign(new Error('down'), { code: 'E_DOWN' }));
    const settlement = await delivery.settled;
    expect(settlement.kind === 'retried' && settlement.next.dueAtMs).to.equal(clock.now() + 500);
    const event = book.events[1];
    if (event?.kind !== 'retried') throw new Error('no retried event');
    expect(event).to.include({ nextDueAtMs: clock.now() + 500, startedAtMs: clock.now(), attempt: 1 });
    expect(event.failure).to.include({ name: 'Error', message: 'down', code: 'E_DOWN' });
  });

  it('is no secret that the message of an error holds, in any place where it is told', async () => {
    const { begin, book, lines } = await setup({ mask: createMask(['hunter22']) });
    const reach = (): Error => new Error('no amqp://app:pass@host, nor with hunter22');
    const first = await begin();
    first.call.reject(reach());
    await first.delivery.settled;
    const last = await begin(jobOf({ attempt: 3 }));
    last.call.reject(reach());
    const letter = await last.delivery.settled;
    expect(letter.kind === 'dead' && letter.death.failure.message).to.equal(
      'no amqp://***@host, nor with ***',
    );
    const told = JSON.stringify([book.events, letter, lines]);
    expect(told).to.include('no amqp://***@host').and.not.include('hunter22').and.not.include('app:pass');
  });

  it('is that it was cancelled by its handler, with the payload as it came', async () => {
    const { begin, clock, book } = await setup();
    const { call, delivery } = await begin(jobOf({ body: Buffer.from('{ "as": "it came" }') }));
    call.reject(new Cancelled('not needed'));
    await delivery.settled;
    expect(book.events[1]).to.deep.include({
      kind: 'cancelled',
      startedAtMs: clock.now(),
      payload: '{ "as": "it came" }',
    });
  });

  it('is nothing of a dead letter: the letter itself says it', async () => {
    const { begin, book } = await setup();
    const { call, delivery } = await begin();
    call.reject(new DeadLetter('no'));
    expect(await delivery.settled).to.have.property('kind', 'dead');
    expect(book.kinds()).to.deep.equal(['started']);
  });

  it('is nothing of the start of what has no handler, but that it is tried again', async () => {
    const { broker, book, clock } = await setup();
    await broker.deliver(jobOf({ type: 'new.type' })).settled;
    expect(book.kinds()).to.deep.equal(['retried']);
    expect(book.events[0]).to.include({ startedAtMs: clock.now(), atMs: clock.now() });
  });

  it('is nothing of an attempt that a shutdown aborts', async () => {
    const { begin, clock, book, pool } = await setup();
    const { call, delivery } = await begin();
    const stopped = pool.stop();
    await clock.advance(graceMs);
    call.reject(call.context.signal.reason);
    expect(await delivery.settled).to.deep.equal({ kind: 'returned' });
    await stopped;
    expect(book.kinds()).to.deep.equal(['started']);
  });

  describe('its progress', () => {
    it('is told step by step, cut to 0 to 100', async () => {
      const { begin, book } = await setup();
      const { call } = await begin();
      for (const percent of [-5, 12.5, 1e9, Number.POSITIVE_INFINITY]) call.context.progress(percent);
      call.context.progress(50, 'half');
      const told = book.events.flatMap((event) =>
        event.kind === 'progressed' ? [[event.step, event.percent, event.note]] : [],
      );
      expect(told).to.deep.equal([
        [1, 0, undefined],
        [2, 12.5, undefined],
        [3, 100, undefined],
        [4, 100, undefined],
        [5, 50, 'half'],
      ]);
    });

    it('has a note of at most 300 characters, none of them broken', async () => {
      const { begin, book } = await setup();
      const { call } = await begin();
      call.context.progress(1, 'n'.repeat(300));
      call.context.progress(2, `${'n'.repeat(298)}😀 and more`);
      call.context.progress(3, 42 as unknown as string);
      const notes = book.events.map((event) => (event.kind === 'progressed' ? event.note : ''));
      expect(notes.slice(1)).to.deep.equal(['n'.repeat(300), `${'n'.repeat(298)}…`, undefined]);
    });

    it('is not told when it is no number: the job is warned of it once, and goes on', async () => {
      const { begin, book, lines } = await setup();
      const { call, delivery, job } = await begin();
      call.context.progress(Number.NaN);
      call.context.progress('50' as unknown as number);
      call.resolve();
      expect(await delivery.settled).to.deep.equal({ kind: 'acked' });
      expect(book.kinds()).to.deep.equal(['started', 'succeeded']);
      const warnings = lines.filter((line) => line.level === 'warn');
      expect(warnings.map((line) => [line.fields['job'], line.message.includes('not NaN')])).to.deep.equal([
        [job.id, true],
      ]);
    });

    it('is no trouble to the handler, whatever it is given', async () => {
      const { begin, book } = await setup();
      const { call } = await begin();
      call.context.progress(Object.create(null) as number);
      expect(book.kinds()).to.deep.equal(['started']);
    });

    it('is not told after the end: a handler that goes on past its deadline speaks of an attempt that is over', async () => {
      const { begin, book, clock } = await setup();
      const { call } = await begin(jobOf({ timeoutMs: 100 }));
      await clock.advance(100);
      call.context.progress(90);
      expect(book.kinds()).to.deep.equal(['started', 'retried']);
    });
  });

  describe('its result', () => {
    for (const [what, value] of [
      ['a BigInt', 1n],
      ['a function', () => 1],
      [
        'an object whose toJSON throws',
        {
          toJSON() {
            throw new Error('no');
          },
        },
      ],
    ] as const) {
      it(`is absent when it is ${what}: the job succeeded, and its type is warned of once`, async () => {
        const { begin, book, lines } = await setup();
        for (let n = 0; n < 2; n++) {
          const { call, delivery } = await begin();
          call.resolve(value);
          expect(await delivery.settled).to.deep.equal({ kind: 'acked' });
        }
        const last = book.events.at(-1);
        expect(last).to.have.property('kind', 'succeeded');
        expect(last).to.not.have.any.keys('result', 'cutFrom');
        expect(lines.filter((line) => line.level === 'warn')).to.have.length(1);
      });
    }

    it('is cut to its limit at the border of a character, and says so', async () => {
      const { begin, book } = await setup({ resultMaxBytes: 8 });
      const { call, delivery } = await begin();
      call.resolve('aéü😀z');
      await delivery.settled;
      // "a é ü: 1 + 1 + 2 + 2 = 6 bytes; the next character takes 4.
      expect(book.events[1]).to.include({ result: '"aéü', cutFrom: 12 });
    });
  });
});

describe('a job that has ended', () => {
  for (const [what, end, settledAs] of [
    ['succeeded', 'resolve', 'acked'],
    ['failed', 'reject', 'retried'],
  ] as const) {
    it(`is settled only once its event is durable (${what}); its slot is free before`, async () => {
      const { begin, book, broker, script, pool } = await setup({
        queues: [{ name: 'default', concurrency: 1 }],
      });
      const { call, delivery } = await begin();
      book.withhold();
      call[end](new Error('down'));
      const next = broker.deliver(jobOf());
      await script.call(1);
      expect([kinds(delivery), pool.stats.held, pool.stats.queues[0]?.active]).to.deep.equal([[], 2, 1]);
      book.release();
      expect(await delivery.settled).to.have.property('kind', settledAs);
      expect(next.asked).to.deep.equal([]);
      await turns();
      expect(pool.stats.held).to.equal(1);
    });
  }

  it('is settled on the delivery that came meanwhile, its event said once', async () => {
    const { begin, book, broker, script } = await setup();
    const { call, delivery, job } = await begin();
    book.withhold();
    call.resolve();
    await turns();
    delivery.lose();
    const second = broker.deliver(job, 1);
    await turns();
    expect(kinds(second)).to.deep.equal([]);
    book.release();
    expect(await second.settled).to.deep.equal({ kind: 'acked' });
    expect([script.calls.length, book.kinds()]).to.deep.equal([1, ['started', 'succeeded']]);
  });

  it('is acked when it comes again after its delivery was lost while the event was on its way', async () => {
    const { begin, book, broker, script, pool } = await setup();
    const { call, delivery, job } = await begin();
    book.withhold();
    call.resolve();
    await turns();
    delivery.lose();
    book.release();
    await turns();
    expect(pool.stats.held).to.equal(0);
    expect(await broker.deliver(job, 1).settled).to.deep.equal({ kind: 'acked' });
    expect([script.calls.length, book.kinds()]).to.deep.equal([1, ['started', 'succeeded']]);
  });

  it('is not settled while its event is refused; that is tried again', async () => {
    const { begin, book, clock, lines } = await setup();
    const { call, delivery } = await begin();
    book.failNext(new Error('the spool is full'));
    call.resolve();
    await turns();
    expect(kinds(delivery)).to.deep.equal([]);
    expect(lines.some((line) => line.level === 'warn' && line.message.includes('recorded'))).to.equal(true);
    await clock.advance(100);
    expect(await delivery.settled).to.deep.equal({ kind: 'acked' });
  });

  it('is waited for at a stop until its event is durable', async () => {
    const { begin, book, pool } = await setup();
    const { call, delivery } = await begin();
    book.withhold();
    const stopped = pool.stop();
    call.resolve();
    await turns();
    expect(kinds(delivery)).to.deep.equal([]);
    book.release();
    await stopped;
    expect(kinds(delivery)).to.deep.equal(['acked']);
  });

  it('is returned at the end of a stop when its event cannot be made durable', async () => {
    const { begin, book, pool, clock } = await setup();
    const ended = await begin();
    const other = await begin();
    book.withhold();
    ended.call.resolve();
    const stopped = pool.stop();
    other.call.reject(new Error('down'));
    await clock.advance(1999);
    expect([kinds(ended.delivery), kinds(other.delivery)]).to.deep.equal([[], []]);
    await clock.advance(1);
    await stopped;
    expect([kinds(ended.delivery), kinds(other.delivery)]).to.deep.equal([['returned'], ['returned']]);
    book.release();
    await turns();
    expect([kinds(ended.delivery), kinds(other.delivery)]).to.deep.equal([['returned'], ['returned']]);
  });
});
