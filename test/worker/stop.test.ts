import { expect } from 'chai';
import { DeadLetter, Unavailable } from '../../src/job/errors.js';
import { turns } from '../support/manual-clock.js';
import { benchOf, graceMs, jobOf, scriptedHandler } from './support/pool-bench.js';
import { createDelivery } from './support/scripted-broker.js';

async function setup() {
  const script = scriptedHandler();
  const bench = benchOf([script.handler]);
  await bench.pool.start();
  const begin = async () => {
    const index = script.calls.length;
    const delivery = bench.broker.deliver(jobOf());
    return { delivery, call: await script.call(index) };
  };
  /** Stops, and tells whether that is over. */
  const stop = () => {
    const stopping = { isOver: false, done: Promise.resolve() };
    stopping.done = bench.pool.stop().then(() => {
      stopping.isOver = true;
    });
    return stopping;
  };
  return { ...bench, script, begin, stop };
}

describe('stopping the pool', () => {
  it('cancels every consumer and is over at once when nothing runs, with no timer left', async () => {
    const { broker, clock, pool } = await setup();
    await pool.stop();
    expect(broker.sources.map((source) => source.isCancelled)).to.deep.equal([true, true, true]);
    await turns();
    expect(clock.waiting).to.equal(0);
  });

  it('waits for a running handler and acks it when it ends within the grace', async () => {
    const { begin, clock, stop } = await setup();
    const { call, delivery } = await begin();
    const stopping = stop();
    await clock.advance(graceMs - 1);
    expect([stopping.isOver, call.context.signal.aborted]).to.deep.equal([false, false]);
    call.resolve();
    expect(await delivery.settled).to.deep.equal({ kind: 'acked' });
    await stopping.done;
  });

  it('settles a handler that fails within the grace as usual', async () => {
    const { begin, stop } = await setup();
    const failing = await begin();
    const dying = await begin();
    const stopping = stop();
    failing.call.reject(new Error('failed'));
    dying.call.reject(new DeadLetter('no'));
    expect(await failing.delivery.settled).to.have.property('kind', 'retried');
    expect(await dying.delivery.settled).to.have.property('kind', 'dead');
    await stopping.done;
  });

  it('aborts what still runs after the grace, and returns it at no cost, whatever it throws', async () => {
    const { begin, clock, stop, seen } = await setup();
    const { call, delivery } = await begin();
    const stopping = stop();
    await clock.advance(graceMs);
    expect(call.context.signal.reason).to.have.property('code', 'shutting_down');
    call.reject(call.context.signal.reason);
    expect(await delivery.settled).to.deep.equal({ kind: 'returned' });
    await stopping.done;
    expect(seen.settled).to.deep.equal([]);
  });

  it('acks an aborted handler that comes to its result all the same', async () => {
    const { begin, clock, stop } = await setup();
    const { call, delivery } = await begin();
    const stopping = stop();
    await clock.advance(graceMs);
    call.resolve();
    expect(await delivery.settled).to.deep.equal({ kind: 'acked' });
    await stopping.done;
  });

  it('returns the job of a handler that ignores the abort, after a brief moment', async () => {
    const { begin, clock, stop } = await setup();
    const { delivery } = await begin();
    const stopping = stop();
    await clock.advance(graceMs + 999);
    expect(delivery.asked).to.deep.equal([]);
    await clock.advance(1);
    expect(await delivery.settled).to.deep.equal({ kind: 'returned' });
    await stopping.done;
  });

  it('returns deliveries that were never started, after the consumers are cancelled and not before', async () => {
    const { begin, broker, script, stop } = await setup();
    const running = [await begin(), await begin()];
    const waiting = broker.deliver(jobOf());
    let cancelled: () => void = () => {};
    broker.cancelling = new Promise((resolve) => {
      cancelled = resolve;
    });
    const stopping = stop();
    await turns();
    const late = broker.deliver(jobOf());
    await turns();
    expect([waiting.asked, late.asked]).to.deep.equal([[], []]);
    cancelled();
    expect(await waiting.settled).to.deep.equal({ kind: 'returned' });
    expect(await late.settled).to.deep.equal({ kind: 'returned' });
    for (const { call } of running) call.resolve();
    await stopping.done;
    expect(script.calls).to.have.length(2);
  });

  it('returns a delivery that comes even after the consumers are cancelled', async () => {
    const { broker, pool } = await setup();
    await pool.stop();
    expect(await broker.deliver(jobOf()).settled).to.deep.equal({ kind: 'returned' });
  });

  it('starts no job that waits when a slot becomes free', async () => {
    const { begin, broker, script, stop } = await setup();
    const first = await begin();
    const second = await begin();
    broker.deliver(jobOf());
    const stopping = stop();
    first.call.resolve();
    await turns();
    second.call.resolve();
    await stopping.done;
    await turns();
    expect(script.calls).to.have.length(2);
  });

  it('waits for the broker to take the last outcomes, but not for ever', async () => {
    const { begin, clock, stop } = await setup();
    const { call, delivery } = await begin();
    delivery.hang();
    const stopping = stop();
    call.reject(new Error('failed'));
    await clock.advance(1999);
    expect(stopping.isOver).to.equal(false);
    await clock.advance(1);
    await stopping.done;
    expect(delivery.asked.map((one) => one.kind)).to.deep.equal(['retried']);
  });

  it('tries outcomes no further once it is over', async () => {
    const { begin, clock, stop } = await setup();
    const { call, delivery } = await begin();
    for (let n = 0; n < 100; n++) delivery.failNext(new Unavailable('blocked'));
    call.reject(new Error('failed'));
    const stopping = stop();
    await clock.advance(2000);
    await stopping.done;
    const { length } = delivery.asked;
    expect(length).to.be.above(1);
    await clock.advance(600_000);
    expect(delivery.asked).to.have.length(length);
  });

  it('is over also while the broker is down: cancels hang, settles are lost', async () => {
    const { begin, broker, clock, stop } = await setup();
    const running = await begin();
    await begin();
    const waiting = broker.deliver(jobOf());
    broker.cancelling = new Promise(() => {});
    for (const delivery of [running.delivery, waiting]) delivery.lose();
    const stopping = stop();
    running.call.resolve();
    await clock.advance(graceMs + 4000);
    await stopping.done;
    expect(waiting.asked.map((one) => one.kind)).to.deep.equal(['returned']);
  });

  it('is over when a cancel fails, and says so', async () => {
    const { broker, pool, lines } = await setup();
    broker.cancelFailure = new Error('the channel is gone');
    await pool.stop();
    expect(lines.filter((line) => line.level === 'warn')).to.have.length(3);
  });

  it('works before start, and start does nothing then', async () => {
    const { pool, broker } = benchOf([]);
    await pool.stop();
    await pool.start();
    expect(broker.calls).to.deep.equal([]);
  });

  it('works twice, at the same time and afterwards', async () => {
    const { broker, pool } = await setup();
    await Promise.all([pool.stop(), pool.stop()]);
    await pool.stop();
    expect(broker.calls.filter((call) => call.startsWith('cancel'))).to.have.length(3);
  });

  it('works in the middle of start: a lane that opens meanwhile is cancelled', async () => {
    const { pool, broker } = benchOf([]);
    let open: () => void = () => {};
    broker.consuming = new Promise((resolve) => {
      open = resolve;
    });
    const started = pool.start();
    await turns();
    const stopped = pool.stop();
    open();
    await Promise.all([started, stopped]);
    expect(broker.sources.map((source) => source.isCancelled)).to.deep.equal([true]);
  });

  it('is over after the grace when start never ends', async () => {
    const { pool, broker, clock } = benchOf([]);
    broker.consuming = new Promise(() => {});
    void pool.start();
    const stopped = pool.stop();
    await clock.advance(graceMs);
    await stopped;
    expect(pool.health()).to.have.property('ok', false);
  });

  it('returns a suspect that waits to run alone', async () => {
    const { begin, broker, clock, script, stop } = await setup();
    const { call } = await begin();
    const suspect = createDelivery(jobOf(), 2);
    broker.suspects.push(suspect);
    await clock.advance(1000);
    const stopping = stop();
    expect(await suspect.settled).to.deep.equal({ kind: 'returned' });
    call.resolve();
    await stopping.done;
    expect(script.calls).to.have.length(1);
  });

  it('aborts and returns a running suspect like any job', async () => {
    const { broker, clock, script, stop } = await setup();
    const suspect = createDelivery(jobOf(), 2);
    broker.suspects.push(suspect);
    await clock.advance(1000);
    await script.call(0);
    const stopping = stop();
    await clock.advance(graceMs + 1000);
    expect(await suspect.settled).to.deep.equal({ kind: 'returned' });
    await stopping.done;
  });
});
