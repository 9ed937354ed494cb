import { expect } from 'chai';
import { v4 } from 'uuid';
import type { Handler, HandlerJob } from '../../src/handler/define.js';
import { Cancelled, DeadLetter, RetryLater } from '../../src/job/errors.js';
import type { Job } from '../../src/job/job.js';
import { turns } from '../support/manual-clock.js';
import { benchOf, jobOf, scriptedHandler } from './support/pool-bench.js';
import type { ScriptedDelivery } from './support/scripted-broker.js';

async function setup(fields: Partial<Handler> = {}) {
  const script = scriptedHandler(fields);
  const bench = benchOf([script.handler]);
  await bench.pool.start();
  const begin = async (job: Job = jobOf()) => {
    const index = script.calls.length;
    const delivery = bench.broker.deliver(job);
    return { job, delivery, call: await script.call(index) };
  };
  return { ...bench, script, begin };
}

async function retryOf(delivery: ScriptedDelivery): Promise<Job> {
  const settlement = await delivery.settled;
  if (settlement.kind !== 'retried') throw new Error(`was ${settlement.kind}`);
  return settlement.next;
}

async function deathOf(delivery: ScriptedDelivery) {
  const settlement = await delivery.settled;
  if (settlement.kind !== 'dead') throw new Error(`was ${settlement.kind}`);
  return settlement.death;
}

describe('one delivery, one settle', () => {
  describe('what the handler is given', () => {
    it('is a frozen snapshot of the job with the time of acceptance read from its id', async () => {
      const { begin } = await setup();
      const id = '018bcfe5-6800-7000-8000-000000000000'; // 0x018bcfe56800 = 1 700 000 000 000
      const { call } = await begin(jobOf({ id, payload: { a: [1] }, attempt: 2, run: 3 }));
      expect(call.job).to.deep.equal({
        id,
        type: 'work',
        queue: 'default',
        payload: { a: [1] },
        attempt: 2,
        run: 3,
        acceptedAt: '2023-11-14T22:13:20.000Z',
      });
      expect(Object.isFrozen(call.job)).to.equal(true);
    });

    it('has a payload of its own: what one attempt does to it is not seen by the next', async () => {
      const { begin } = await setup();
      const first = await begin(jobOf({ payload: { list: [1] } }));
      (first.call.job as HandlerJob<{ list: number[] }>).payload.list.push(2);
      first.call.reject(new Error('again'));
      const second = await begin(await retryOf(first.delivery));
      expect(second.call.job.payload).to.deep.equal({ list: [1] });
    });

    it('has a time of acceptance also when the id holds none', async () => {
      const { begin, clock } = await setup();
      for (const id of ['order-77', v4()]) {
        const { call } = await begin(jobOf({ id, dueAtMs: clock.now() }));
        expect(call.job.acceptedAt).to.equal(new Date(clock.now()).toISOString());
        call.resolve();
      }
      const { call } = await begin(jobOf({ id: 'order-78', dueAtMs: 9e20 }));
      expect(call.job.acceptedAt).to.equal('1970-01-01T00:00:00.000Z');
    });

    it('logs with the id of the job, and of its trace', async () => {
      const { begin, lines } = await setup();
      const traceId = '0af7651916cd43dd8448eb211c80319c';
      const { call, job } = await begin(jobOf({ traceparent: `00-${traceId}-b7ad6b7169203331-01` }));
      const about = { job: job.id, type: 'work', queue: 'default', run: 1, attempt: 1, traceId };
      call.context.log.info('halfway', { rows: 5 });
      call.context.log.warn('careful');
      call.context.progress(50, 'half');
      expect(lines).to.deep.include({
        level: 'info',
        message: 'halfway',
        fields: { ...about, rows: 5 },
      });
      expect(lines).to.deep.include({
        level: 'warn',
        message: 'careful',
        fields: about,
      });
      expect(lines).to.deep.include({
        level: 'debug',
        message: 'progress',
        fields: { job: job.id, percent: 50, note: 'half' },
      });
    });
  });

  describe('what becomes of the job', () => {
    for (const value of [undefined, null, 0, { big: 'result' }]) {
      it(`is acked when its handler returns ${JSON.stringify(value)}`, async () => {
        const { begin } = await setup();
        const { call, delivery } = await begin();
        call.resolve(value);
        expect(await delivery.settled).to.deep.equal({ kind: 'acked' });
      });
    }

    it('is acked when its handler is no async function and returns at once', async () => {
      const { broker } = await setup({ run: () => 'done' });
      expect(await broker.deliver(jobOf()).settled).to.deep.equal({ kind: 'acked' });
    });

    it('is retried after the backoff, one attempt further, otherwise the same', async () => {
      const { begin, clock } = await setup();
      const { call, delivery, job } = await begin(jobOf({ traceparent: 'trace', maxAttempts: 9 }));
      call.reject(new Error('down'));
      expect(await retryOf(delivery)).to.deep.equal({ ...job, attempt: 2, dueAtMs: clock.now() + 500 });
    });

    it('is retried when its handler throws before it is a promise', async () => {
      const { broker } = await setup({
        run: () => {
          throw new Error('at once');
        },
      });
      expect(await broker.deliver(jobOf()).settled).to.have.property('kind', 'retried');
    });

    for (const [what, thrown] of [
      ['undefined', undefined],
      ['null', null],
      ['a proxy whose every trap throws', hostileProxy()],
    ] as const) {
      it(`is retried when its handler throws ${what}`, async () => {
        const { begin } = await setup();
        const { call, delivery } = await begin();
        call.reject(thrown);
        expect((await retryOf(delivery)).attempt).to.equal(2);
      });
    }

    it('is dead, exhausted, when its last attempt fails, with the failure told', async () => {
      const { begin, clock } = await setup();
      const { call, delivery } = await begin(jobOf({ attempt: 3 }));
      call.reject(Object.assign(new Error('still down'), { code: 'E_DOWN' }));
      const death = await deathOf(delivery);
      expect(death).to.deep.include({ reason: 'exhausted', atMs: clock.now() });
      expect(death.failure).to.include({ name: 'Error', message: 'still down', code: 'E_DOWN' });
    });

    it('is dead, permanent, after DeadLetter', async () => {
      const { begin } = await setup();
      const { call, delivery } = await begin();
      call.reject(new DeadLetter('no such address'));
      expect(await deathOf(delivery)).to.have.property('reason', 'permanent');
    });

    it('is acked after Cancelled', async () => {
      const { begin, seen } = await setup();
      const { call, delivery, job } = await begin();
      call.reject(new Cancelled());
      expect(await delivery.settled).to.deep.equal({ kind: 'acked' });
      await turns();
      expect(seen.settled).to.deep.equal([[job.id, 'cancelled', 0]]);
    });

    it('is retried when RetryLater says', async () => {
      const { begin, clock } = await setup();
      const { call, delivery } = await begin();
      call.reject(new RetryLater(12_345));
      expect(await retryOf(delivery)).to.include({ attempt: 2, dueAtMs: clock.now() + 12_345 });
    });

    for (const [what, body] of [
      ['no JSON', Buffer.from('{"a":')],
      ['empty', Buffer.alloc(0)],
      ['no UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ] as const) {
      it(`is dead, undecodable, when its body is ${what}, and its handler is not called`, async () => {
        const { broker, script } = await setup();
        const delivery = broker.deliver(jobOf({ body }));
        expect(await deathOf(delivery)).to.have.property('reason', 'undecodable');
        expect(script.calls).to.have.length(0);
      });
    }

    it('is dead, expired, when it comes after its expiresAt, and its handler is not called', async () => {
      const { broker, script, clock, seen } = await setup();
      const delivery = broker.deliver(jobOf({ expiresAtMs: clock.now() - 1 }));
      const death = await deathOf(delivery);
      expect(death).to.have.property('reason', 'expired');
      expect(death, 'it has never begun').not.to.have.property('startedAtMs');
      await turns();
      expect([script.calls.length, seen.started.length]).to.deep.equal([0, 0]);
    });

    it('runs at the very moment of its expiresAt', async () => {
      const { begin, clock } = await setup();
      const { call, delivery } = await begin(jobOf({ expiresAtMs: clock.now() }));
      call.resolve();
      expect(await delivery.settled).to.deep.equal({ kind: 'acked' });
    });

    it('is retried by the default policy when its type is unknown, then dead, exhausted', async () => {
      const { broker, clock } = await setup();
      const first = await retryOf(broker.deliver(jobOf({ type: 'new.type' })));
      expect(first).to.include({ attempt: 2, dueAtMs: clock.now() + 500 });
      const death = await deathOf(broker.deliver(jobOf({ type: 'new.type', attempt: 3 })));
      expect(death.reason).to.equal('exhausted');
      expect(death.failure).to.have.property('code', 'unknown_job_type');
    });
  });

  describe('whose word counts', () => {
    for (const [whose, request, handler, expected] of [
      ['the setting', undefined, undefined, 3],
      ['the handler', undefined, 5, 5],
      ['the request', 7, 5, 7],
    ] as const) {
      it(`gives as many attempts as ${whose} says`, async () => {
        const { broker } = await setup({
          ...(handler !== undefined && { maxAttempts: handler }),
          run: () => Promise.reject(new Error('no')),
        });
        const attempts = { ...(request !== undefined && { maxAttempts: request }) };
        expect(await broker.deliver(jobOf({ ...attempts, attempt: expected - 1 })).settled).to.include({
          kind: 'retried',
        });
        expect(await broker.deliver(jobOf({ ...attempts, attempt: expected })).settled).to.include({
          kind: 'dead',
        });
      });

      it(`gives as much time as ${whose} says`, async () => {
        const ms = (units: number | undefined) => (units === undefined ? {} : { timeoutMs: units * 20_000 });
        const { begin, clock } = await setup(ms(handler));
        const { delivery } = await begin(jobOf(ms(request)));
        await clock.advance(expected * 20_000 - 1);
        expect(delivery.asked).to.have.length(0);
        await clock.advance(1);
        expect(delivery.asked).to.have.length(1);
      });
    }

    it("waits by the handler's backoff before the setting's", async () => {
      const { begin, clock } = await setup({ backoff: { baseMs: 10, maxMs: 10 } });
      const { call, delivery } = await begin();
      call.reject(new Error('no'));
      expect((await retryOf(delivery)).dueAtMs).to.equal(clock.now() + 5);
    });
  });

  describe('a handler that does not end', () => {
    it('has its job retried as timed out at the deadline, its signal aborted', async () => {
      const { begin, clock, seen } = await setup();
      const { call, delivery, job } = await begin(jobOf({ timeoutMs: 100 }));
      await clock.advance(100);
      expect(await retryOf(delivery)).to.have.property('attempt', 2);
      expect(call.context.signal.reason).to.have.property('code', 'timed_out');
      expect(seen.settled).to.deep.equal([[job.id, 'retried', 100]]);
    });

    it('is dead, exhausted and timed out, at its last attempt', async () => {
      const { begin, clock } = await setup();
      const { delivery } = await begin(jobOf({ timeoutMs: 100, attempt: 3 }));
      const startedAtMs = clock.now();
      await clock.advance(100);
      const death = await deathOf(delivery);
      expect(death).to.include({ reason: 'exhausted', startedAtMs, atMs: startedAtMs + 100 });
      expect(death.failure).to.include({ name: 'TimedOut', code: 'timed_out' });
    });

    it('keeps its slot for a short grace, then loses it with an error that names job and type', async () => {
      const { begin, broker, clock, lines, pool, script } = await setup();
      const { job } = await begin(jobOf({ timeoutMs: 100 }));
      await begin();
      broker.deliver(jobOf());
      await clock.advance(100);
      expect([script.calls.length, pool.stats.queues[0]?.active]).to.deep.equal([2, 2]);
      expect(lines.filter((line) => line.level === 'error')).to.deep.equal([]);
      await clock.advance(1000);
      expect(script.calls).to.have.length(3);
      const errors = lines.filter((line) => line.level === 'error');
      expect(errors).to.have.length(1);
      expect(errors[0]?.fields).to.include({ job: job.id, type: 'work' });
    });

    it('changes nothing when it ends late, in one way or the other', async () => {
      const { begin, clock, seen } = await setup();
      const first = await begin(jobOf({ timeoutMs: 100 }));
      const second = await begin(jobOf({ timeoutMs: 100 }));
      await clock.advance(100);
      first.call.resolve('late');
      second.call.reject(new DeadLetter('late'));
      await clock.advance(5000);
      expect(first.delivery.asked.map((one) => one.kind)).to.deep.equal(['retried']);
      expect(second.delivery.asked.map((one) => one.kind)).to.deep.equal(['retried']);
      expect(seen.settled).to.have.length(2);
    });
  });

  describe('a time limit beyond the consumer timeout', () => {
    it('is warned of once per type, with the job that brought it', async () => {
      const { begin, lines } = await setup();
      const { job } = await begin(jobOf({ timeoutMs: 7_200_000 }));
      await begin(jobOf({ timeoutMs: 7_200_000 }));
      const warnings = lines.filter((line) => line.message.includes('consumer timeout'));
      expect(warnings).to.have.length(1);
      expect(warnings[0]?.fields).to.deep.equal({ job: job.id, type: 'work' });
    });
  });

  describe('what observers are told', () => {
    it('is how long a job waited since it was due, and how long it took', async () => {
      const { begin, clock, seen } = await setup();
      const { call, job } = await begin(jobOf({ dueAtMs: clock.now() - 70 }));
      await clock.advance(30);
      call.resolve();
      await turns();
      expect(seen).to.deep.equal({
        started: [[job.id, 70]],
        settled: [[job.id, 'succeeded', 30]],
        redelivered: [],
      });
    });

    it('is no negative wait when clocks differ', async () => {
      const { begin, clock, seen } = await setup();
      const { job } = await begin(jobOf({ dueAtMs: clock.now() + 500 }));
      expect(seen.started).to.deep.equal([[job.id, 0]]);
    });
  });
});

function hostileProxy(): object {
  const refuse = (): never => {
    throw new Error('no');
  };
  return new Proxy({}, { get: refuse, getPrototypeOf: refuse, has: refuse, ownKeys: refuse });
}
