import { expect } from 'chai';
import { Unavailable } from '../../src/job/errors.js';
import { turns } from '../support/manual-clock.js';
import { benchOf, jobOf, scriptedHandler } from './support/pool-bench.js';
import { createDelivery } from './support/scripted-broker.js';

function setup(concurrency = 2) {
  const script = scriptedHandler();
  return { ...benchOf([script.handler], { queues: [{ name: 'default', concurrency }] }), script };
}

const suspectOf = (lostCount: number) => createDelivery(jobOf({ payload: 'suspect' }), lostCount);

describe('a suspected job', () => {
  it('is taken at start before the lanes are consumed, and run like any job', async () => {
    const { pool, broker, script, seen } = setup();
    const suspect = suspectOf(1);
    broker.suspects.push(suspect);
    await pool.start();
    expect(broker.calls[0]).to.equal('takeSuspect');
    expect(broker.sources).to.have.length(3);
    (await script.call(0)).resolve();
    expect(await suspect.settled).to.deep.equal({ kind: 'acked' });
    expect(seen.redelivered).to.deep.equal([suspect.job.id]);
  });

  it('keeps the lanes closed at start until it is settled when it must run alone, and start does not wait for it', async () => {
    const { pool, broker, script } = setup();
    const suspect = suspectOf(2);
    broker.suspects.push(suspect);
    await pool.start();
    const call = await script.call(0);
    expect(broker.sources).to.have.length(0);
    expect(pool.health()).to.have.property('ok', false);
    call.reject(new Error('failed'));
    expect(await suspect.settled).to.have.property('kind', 'retried');
    await turns();
    expect(broker.sources).to.have.length(3);
    expect(pool.health()).to.deep.equal({ ok: true });
  });

  it('opens the lanes in the end when the broker refuses them after it', async () => {
    const { pool, broker, script, clock, lines } = setup();
    broker.suspects.push(suspectOf(2));
    broker.consumeFailure = new Error('not now');
    await pool.start();
    (await script.call(0)).resolve();
    await clock.advance(1000);
    expect(broker.sources).to.have.length(0);
    expect(lines.some((line) => line.level === 'error')).to.equal(true);
    broker.consumeFailure = undefined;
    await clock.advance(1000);
    expect(broker.sources).to.have.length(3);
  });

  it('is looked for about once a second while none is in hand', async () => {
    const { pool, broker, clock } = setup();
    await pool.start();
    const looks = () => broker.calls.filter((call) => call === 'takeSuspect').length;
    expect(looks()).to.equal(1);
    await clock.advance(10_000);
    expect(looks()).to.equal(11);
  });

  it('is the only one in hand: the next is taken when it is settled', async () => {
    const { pool, broker, clock, script } = setup();
    const first = suspectOf(1);
    const second = suspectOf(1);
    broker.suspects.push(first, second);
    await pool.start();
    const call = await script.call(0);
    await clock.advance(10_000);
    expect(script.calls).to.have.length(1);
    first.hang();
    call.resolve();
    await clock.advance(10_000);
    expect(script.calls).to.have.length(1);
    first.resume();
    await clock.advance(1000);
    expect(script.calls).to.have.length(2);
  });

  it('runs beside others while it was lost only once', async () => {
    const { pool, broker, clock, script } = setup();
    await pool.start();
    broker.deliver(jobOf());
    await script.call(0);
    broker.suspects.push(suspectOf(1));
    await clock.advance(1000);
    expect(script.calls).to.have.length(2);
    broker.deliver(jobOf());
    await turns();
    expect(script.calls).to.have.length(3);
  });

  it('runs alone when it was lost twice: it waits for those that run, and no other starts until it is settled', async () => {
    const { pool, broker, clock, script, lines } = setup();
    await pool.start();
    broker.deliver(jobOf({ payload: 'one' }));
    broker.deliver(jobOf({ payload: 'two' }));
    broker.deliver(jobOf({ payload: 'three' }));
    await turns();
    const suspect = suspectOf(2);
    broker.suspects.push(suspect);
    await clock.advance(1000);
    const running = () => script.calls.map((call) => call.job.payload);
    expect(running()).to.deep.equal(['one', 'two']);
    script.calls[0]?.resolve();
    await turns();
    expect(running()).to.deep.equal(['one', 'two']);
    script.calls[1]?.resolve();
    await turns();
    expect(running()).to.deep.equal(['one', 'two', 'suspect']);
    broker.deliver(jobOf({ payload: 'four' }));
    await turns();
    expect(running()).to.deep.equal(['one', 'two', 'suspect']);
    suspect.hang();
    script.calls[2]?.resolve();
    await turns();
    expect(running()).to.deep.equal(['one', 'two', 'suspect']);
    suspect.resume();
    await turns();
    expect(running()).to.deep.equal(['one', 'two', 'suspect', 'three', 'four']);
    expect(lines.some((line) => line.fields['job'] === suspect.job.id && line.level === 'warn')).to.equal(
      true,
    );
  });

  it('does not hold the others back for ever when the broker does not take its outcome', async () => {
    const { pool, broker, clock, script } = setup();
    await pool.start();
    const suspect = suspectOf(2);
    const next = suspectOf(2);
    broker.suspects.push(suspect, next);
    await clock.advance(1000);
    suspect.hang();
    (await script.call(0)).reject(new Error('failed, and the retry waits for an alarm to end'));
    broker.deliver(jobOf({ payload: 'other' }));
    await clock.advance(10_000);
    const running = () => script.calls.map((call) => call.job.payload);
    expect(running()).to.deep.equal(['suspect', 'other']);
    script.calls[1]?.resolve();
    suspect.resume();
    await clock.advance(1000);
    expect(running()).to.deep.equal(['suspect', 'other', 'suspect']);
  });

  it('opens the lanes at start although the broker does not take its outcome', async () => {
    const { pool, broker, clock, script } = setup();
    const suspect = suspectOf(2);
    broker.suspects.push(suspect);
    await pool.start();
    suspect.hang();
    (await script.call(0)).reject(new Error('failed, and the retry waits for an alarm to end'));
    await clock.advance(10_000);
    expect(broker.sources).to.have.length(3);
  });

  it('is adopted, and holds nobody back, when the pool runs it already', async () => {
    const { pool, broker, clock, script } = setup();
    await pool.start();
    const job = jobOf();
    const first = broker.deliver(job);
    const call = await script.call(0);
    first.lose();
    const suspect = createDelivery(job, 3);
    broker.suspects.push(suspect);
    await clock.advance(1000);
    broker.deliver(jobOf());
    await script.call(1);
    call.resolve();
    expect(await suspect.settled).to.deep.equal({ kind: 'acked' });
    expect(script.calls).to.have.length(2);
  });

  it('is looked for again when the broker cannot say, with no more than a debug line', async () => {
    const { pool, broker, clock, script, lines } = setup();
    broker.suspectFailure = new Unavailable('no connection');
    await pool.start();
    expect(broker.sources).to.have.length(3);
    await clock.advance(3000);
    expect(new Set(lines.map((line) => line.level))).to.deep.equal(new Set(['debug']));
    broker.suspectFailure = undefined;
    broker.suspects.push(suspectOf(3));
    await clock.advance(1000);
    expect(script.calls).to.have.length(1);
  });
});
