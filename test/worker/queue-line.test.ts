import { expect } from 'chai';
import type { QueueOrder } from '../../src/job/orders.js';
import { turns } from '../support/manual-clock.js';
import { benchOf, jobOf, scriptedHandler } from './support/pool-bench.js';
import { createDelivery } from './support/scripted-broker.js';

async function setup(concurrency = 2, first: readonly QueueOrder[] = []) {
  const script = scriptedHandler();
  const bench = benchOf([script.handler], {
    queues: [
      { name: 'default', concurrency },
      { name: 'mail', concurrency: 1 },
    ],
  });
  const order = async (...queues: QueueOrder[]) => {
    bench.registers.queues = queues;
    bench.registers.announce();
    await turns();
  };
  const pause = () => order({ queue: 'default', isPaused: true });
  const resume = () => order({ queue: 'default', isPaused: false });
  bench.registers.queues = [...first];
  await bench.pool.start();
  /** The lanes that are consumed now, with their prefetch. */
  const open = () =>
    bench.broker.sources
      .filter((source) => !source.isCancelled)
      .map(({ queue, lane, prefetch }) => `${queue}.${lane} ${prefetch}`);
  return { ...bench, script, order, pause, resume, open };
}

const mailLanes = ['mail.high 5', 'mail.normal 3', 'mail.low 1'];

describe('a paused queue', () => {
  it('is consumed no more: what waits is returned once its consumers are cancelled, what runs goes on', async () => {
    const { broker, pause, open, script, pool } = await setup();
    const running = [broker.deliver(jobOf()), broker.deliver(jobOf())];
    const waiting = broker.deliver(jobOf());
    await script.call(1);
    expect(pool.stats.hasWaiting).to.equal(true);
    let cancelled: () => void = () => {};
    broker.cancelling = new Promise((resolve) => {
      cancelled = resolve;
    });
    await pause();
    const late = broker.deliver(jobOf());
    script.calls[0]?.resolve();
    await turns();
    expect([waiting.asked, late.asked, script.calls.length]).to.deep.equal([[], [], 2]);
    cancelled();
    expect(await waiting.settled).to.deep.equal({ kind: 'returned' });
    expect(await late.settled).to.deep.equal({ kind: 'returned' });
    expect(await broker.deliver(jobOf()).settled).to.deep.equal({ kind: 'returned' });
    script.calls[1]?.resolve();
    for (const one of running) expect(await one.settled).to.deep.equal({ kind: 'acked' });
    expect(open()).to.deep.equal(mailLanes);
    expect(pool.stats.queues[0]).to.include({ isPaused: true, waiting: 0, prefetch: 0 });
    expect(pool.stats.hasWaiting).to.equal(false);
    expect(pool.health()).to.deep.equal({ ok: true });
  });

  it('is not consumed from the start when it is paused then, and is when it is resumed', async () => {
    const { open, resume, broker, script } = await setup(2, [{ queue: 'default', isPaused: true }]);
    expect(open()).to.deep.equal(mailLanes);
    await resume();
    expect(open()).to.have.length(6);
    broker.deliver(jobOf());
    await script.call(0);
  });

  it('is resumed also when its order is gone', async () => {
    const { open, pause, order } = await setup();
    await pause();
    await order();
    expect(open()).to.have.length(6);
  });

  it('runs what waits when it is resumed before its consumers were cancelled', async () => {
    const { broker, pause, resume, script, open } = await setup(1);
    broker.deliver(jobOf({ payload: 1 }));
    broker.deliver(jobOf({ payload: 2 }));
    broker.deliver(jobOf({ payload: 3 }));
    let cancelled: () => void = () => {};
    broker.cancelling = new Promise((resolve) => {
      cancelled = resolve;
    });
    await pause();
    (await script.call(0)).resolve();
    await turns();
    expect(script.calls).to.have.length(1);
    await resume();
    cancelled();
    (await script.call(1)).resolve();
    (await script.call(2)).resolve();
    await turns();
    expect(open()).to.have.length(6);
  });

  it('follows the last word when orders come faster than the broker', async () => {
    const { broker, pause, resume, open } = await setup();
    let consumed: () => void = () => {};
    await pause();
    broker.consuming = new Promise((resolve) => {
      consumed = resolve;
    });
    await resume();
    await pause();
    await resume();
    await pause();
    consumed();
    await turns();
    expect(open()).to.deep.equal(mailLanes);
    await resume();
    expect(open()).to.have.length(6);
  });

  it('tries again when its consumers cannot be cancelled, and starts nothing meanwhile', async () => {
    const { broker, pause, clock, open, script, lines } = await setup(1);
    broker.deliver(jobOf());
    const waiting = broker.deliver(jobOf());
    broker.cancelFailure = new Error('not now');
    await pause();
    (await script.call(0)).resolve();
    await turns();
    expect([waiting.asked, script.calls.length]).to.deep.equal([[], 1]);
    expect(lines.some((line) => line.level === 'error')).to.equal(true);
    broker.cancelFailure = undefined;
    await clock.advance(1000);
    expect(await waiting.settled).to.deep.equal({ kind: 'returned' });
    expect(open()).to.deep.equal(mailLanes);
  });

  it('has its suspects left alone', async () => {
    const { broker, clock, pause, order, resume, script } = await setup();
    const asked: string[] = [];
    const { takeSuspect } = broker;
    broker.takeSuspect = (queues) => {
      asked.push(queues.join());
      return takeSuspect.call(broker, queues);
    };
    await pause();
    await clock.advance(1000);
    await order({ queue: 'default', isPaused: true }, { queue: 'mail', isPaused: true });
    await clock.advance(5000);
    expect(asked).to.deep.equal(['mail']);
    broker.suspects.push(createDelivery(jobOf(), 1));
    await resume();
    await clock.advance(1000);
    await script.call(0);
    expect(asked).to.deep.equal(['mail', 'default,mail']);
  });

  it('is stopped like any other', async () => {
    const { pause, pool, clock } = await setup();
    await pause();
    await pool.stop();
    await turns();
    expect(clock.waiting).to.equal(0);
  });
});

describe('a concurrency that is ordered', () => {
  const concurrency = (count: number) => ({ queue: 'default', isPaused: false, concurrency: count });

  it('holds at once when it is higher, with more prefetch; what waits is not returned', async () => {
    const { broker, order, script, open, pool } = await setup(1);
    const deliveries = [1, 2, 3].map((payload) => broker.deliver(jobOf({ payload })));
    await script.call(0);
    await order(concurrency(3));
    expect(script.calls).to.have.length(3);
    expect(deliveries.map((delivery) => delivery.asked)).to.deep.equal([[], [], []]);
    expect(open()).to.include.members(['default.high 15', 'default.normal 9', 'default.low 3']);
    expect(open()).to.have.length(6);
    expect(pool.stats.queues[0]).to.include({ active: 3, concurrency: 3, prefetch: 27 });
  });

  it('lets the running ones finish when it is lower, and returns what would wait too long', async () => {
    const { broker, order, script, pool, open } = await setup(4);
    const waiting = Array.from({ length: 30 }, () => broker.deliver(jobOf())).slice(4);
    await script.call(3);
    await order(concurrency(1));
    expect(script.calls.map((call) => call.context.signal.aborted)).to.deep.equal([
      false,
      false,
      false,
      false,
    ]);
    for (const delivery of waiting) expect(await delivery.settled).to.deep.equal({ kind: 'returned' });
    for (const call of script.calls) call.resolve();
    await turns();
    for (let n = 0; n < 3; n++) broker.deliver(jobOf());
    await turns();
    expect(script.calls).to.have.length(5);
    expect(pool.stats.queues[0]).to.include({ active: 1, waiting: 2, concurrency: 1, prefetch: 9 });
    expect(open()).to.include('default.high 5');
  });

  it('is that of the setting again when the order is gone', async () => {
    const { order, pool } = await setup(2);
    await order(concurrency(7));
    await order();
    expect(pool.stats.queues[0]).to.include({ concurrency: 2, prefetch: 18 });
  });

  it('does not touch the consumers when the prefetch stays the same', async () => {
    const script = scriptedHandler();
    const { pool, broker, registers } = benchOf([script.handler], { prefetch: 7 });
    await pool.start();
    registers.queues = [concurrency(9)];
    registers.announce();
    await turns();
    expect(broker.calls.filter((call) => call.startsWith('cancel'))).to.deep.equal([]);
    expect(pool.stats.queues[0]).to.include({ concurrency: 9, prefetch: 21 });
  });

  for (const count of [0, -1, 1.5, Number.NaN]) {
    it(`is ignored when it is ${count}`, async () => {
      const { order, pool } = await setup(2);
      await order(concurrency(count));
      expect(pool.stats.queues[0]).to.include({ concurrency: 2 });
    });
  }

  it('is bounded', async () => {
    const { order, pool } = await setup(2);
    await order(concurrency(1e9));
    expect(pool.stats.queues[0]).to.include({ concurrency: 10_000 });
  });

  it('of a queue that is not worked on here is ignored', async () => {
    const { order, open } = await setup();
    const before = open();
    await order({ queue: 'other', isPaused: true, concurrency: 5 });
    expect(open()).to.deep.equal(before);
  });
});

describe('the prefetch of a queue', () => {
  async function ended(bench: Awaited<ReturnType<typeof setup>>, count: number, ms: number): Promise<void> {
    const before = bench.script.calls.length;
    for (let n = 0; n < count; n++) bench.broker.deliver(jobOf());
    for (let n = 0; n < count; n++) {
      const call = await bench.script.call(before + n);
      await bench.clock.advance(ms);
      call.resolve();
      await turns();
    }
  }

  it('grows when jobs are seen to be fast, and what waits is not returned', async () => {
    const bench = await setup(1);
    expect(bench.open()).to.include.members(['default.high 5', 'default.normal 3', 'default.low 1']);
    await ended(bench, 5, 1);
    await bench.clock.advance(500);
    const waits = [bench.broker.deliver(jobOf()), bench.broker.deliver(jobOf())];
    (await bench.script.call(5)).resolve();
    await turns();
    expect(bench.open()).to.include.members(['default.high 41', 'default.normal 41', 'default.low 41']);
    expect(bench.open()).to.have.length(6);
    expect(waits[1]?.asked).to.deep.equal([]);
    await bench.script.call(6);
  });

  it('shrinks when they turn out to be slow, also while one of them runs for long', async () => {
    const bench = await setup(1);
    await ended(bench, 6, 100);
    expect(bench.open()).to.include('default.high 3');
    expect(bench.open()).to.include('default.low 3');
    bench.broker.deliver(jobOf());
    await bench.script.call(6);
    await bench.clock.advance(50_000);
    await turns();
    expect(bench.open()).to.include('default.low 1');
    expect(bench.pool.stats.queues[0]).to.include({ active: 1 });
    expect(bench.open()).to.have.length(6);
  });
});
