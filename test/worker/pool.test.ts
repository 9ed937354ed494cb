import { expect } from 'chai';
import { turns } from '../support/manual-clock.js';
import { benchOf, jobOf, scriptedHandler } from './support/pool-bench.js';

function setup(options: Parameters<typeof benchOf>[1] = {}) {
  const script = scriptedHandler();
  return { ...benchOf([script.handler], options), script };
}

describe('the worker pool', () => {
  it('opens one consumer per queue and lane with the prefetch derived from its slots', async () => {
    const { pool, broker } = setup({
      queues: [
        { name: 'default', concurrency: 10 },
        { name: 'mail', concurrency: 1 },
      ],
    });
    await pool.start();
    expect(broker.sources.map(({ queue, lane, prefetch }) => `${queue}.${lane} ${prefetch}`)).to.deep.equal([
      'default.high 49',
      'default.normal 30',
      'default.low 10',
      'mail.high 5',
      'mail.normal 3',
      'mail.low 1',
    ]);
  });

  it('tells a delivery that its handler starts before it runs, and only one that is run', async () => {
    let startsAtRun: number | undefined;
    const bench = setup({ queues: [{ name: 'default', concurrency: 1 }] });
    await bench.pool.start();
    const delivery = bench.broker.deliver(jobOf());
    const waiting = bench.broker.deliver(jobOf());
    await bench.script.call(0).then(() => {
      startsAtRun = delivery.starts;
    });
    expect([startsAtRun, waiting.starts]).to.deep.equal([1, 0]);
    const stopped = bench.pool.stop();
    await turns();
    (await bench.script.call(0)).resolve();
    await stopped;
    expect(waiting.asked).to.deep.equal([{ kind: 'returned' }]);
    expect(waiting.starts).to.equal(0);
  });

  it('takes the prefetch from the setting when there is one', async () => {
    const { pool, broker } = setup({ prefetch: 7 });
    await pool.start();
    expect(broker.sources.map((source) => source.prefetch)).to.deep.equal([7, 7, 7]);
  });

  it('derives a smaller prefetch from a shorter consumer timeout', async () => {
    const { pool, broker } = setup({ consumerTimeoutMs: 120_000 });
    await pool.start();
    expect(broker.sources.map((source) => source.prefetch)).to.deep.equal([2, 2, 2]);
  });

  it('warns at start when the usual time limit is not below the consumer timeout', async () => {
    const { pool, lines } = setup({ consumerTimeoutMs: 60_000 });
    await pool.start();
    expect(lines.filter((line) => line.level === 'warn')).to.have.length(1);
  });

  it('runs as many jobs of a queue at a time as it has slots, each queue for itself', async () => {
    const { pool, broker, script } = setup({
      queues: [
        { name: 'default', concurrency: 2 },
        { name: 'mail', concurrency: 1 },
      ],
    });
    await pool.start();
    for (let n = 0; n < 4; n++) broker.deliver(jobOf({ payload: n }));
    for (let n = 0; n < 2; n++) broker.deliver(jobOf({ queue: 'mail', payload: n }));
    await turns();
    expect(script.calls.map((call) => call.job.queue).sort()).to.deep.equal(['default', 'default', 'mail']);
    expect(pool.stats.queues).to.deep.equal([
      { queue: 'default', active: 2, waiting: 2, concurrency: 2, prefetch: 10 + 6 + 2, isPaused: false },
      { queue: 'mail', active: 1, waiting: 1, concurrency: 1, prefetch: 5 + 3 + 1, isPaused: false },
    ]);
    for (const call of script.calls) call.resolve();
    await turns();
    expect(script.calls).to.have.length(6);
  });

  it('starts the best job of the moment a slot is free, not of the moment it was delivered', async () => {
    const { pool, broker, script } = setup({ queues: [{ name: 'default', concurrency: 1 }] });
    await pool.start();
    broker.deliver(jobOf({ payload: 'first' }));
    await script.call(0);
    for (const lane of ['low', 'normal', 'high'] as const) broker.deliver(jobOf({ lane, payload: lane }));
    for (let n = 0; n < 4; n++) (await script.call(n)).resolve();
    expect(script.calls.map((call) => call.job.payload)).to.deep.equal(['first', 'high', 'normal', 'low']);
  });

  it('does not starve the low lane while the high one is never empty', async () => {
    const { pool, broker, script } = setup({ queues: [{ name: 'default', concurrency: 1 }] });
    await pool.start();
    for (let n = 0; n < 40; n++) broker.deliver(jobOf({ lane: 'high', payload: 'high' }));
    broker.deliver(jobOf({ lane: 'low', payload: 'low' }));
    for (let n = 0; n < 41; n++) (await script.call(n)).resolve();
    const at = script.calls.findIndex((call) => call.job.payload === 'low');
    expect(at).to.be.above(0).and.at.most(16);
  });

  it('fails to start when the broker refuses a lane, and can be stopped then', async () => {
    const { pool, broker } = setup();
    broker.consumeFailure = new Error('no such queue');
    let told: unknown;
    await pool.start().catch((error: unknown) => {
      told = error;
    });
    expect(told).to.equal(broker.consumeFailure);
    expect(pool.health()).to.have.property('ok', false);
    await pool.stop();
  });

  it('starts once when started twice', async () => {
    const { pool, broker } = setup();
    await Promise.all([pool.start(), pool.start()]);
    await pool.start();
    expect(broker.sources).to.have.length(3);
  });

  describe('its health', () => {
    it('is good only between start and stop, and only while the broker is', async () => {
      const { pool, broker } = setup();
      expect(pool.health()).to.deep.equal({ ok: false, reason: 'the worker pool does not consume yet' });
      await pool.start();
      expect(pool.health()).to.deep.equal({ ok: true });
      broker.currentHealth = { ok: false, reason: 'reconnecting' };
      expect(pool.health()).to.deep.equal({ ok: false, reason: 'reconnecting' });
      broker.currentHealth = { ok: true };
      const stopped = pool.stop();
      expect(pool.health()).to.have.property('ok', false);
      await stopped;
      expect(pool.health()).to.deep.equal({ ok: false, reason: 'the worker pool has been stopped' });
    });

    it('is bad until the last lane is open', async () => {
      const { pool, broker } = setup();
      let open: () => void = () => {};
      broker.consuming = new Promise((resolve) => {
        open = resolve;
      });
      const started = pool.start();
      await turns();
      expect(pool.health()).to.have.property('ok', false);
      open();
      await started;
      expect(pool.health()).to.deep.equal({ ok: true });
    });
  });
});
