import { expect } from 'chai';
import { Invalid, Refused, Unavailable } from '../../src/job/errors.js';
import type { Redriver } from '../../src/recorder/redriver.js';
import { createDeferred } from '../support/deferred.js';
import { createManualClock, type ManualClock, turns } from '../support/manual-clock.js';
import { idOf } from './support/events.js';
import { createWorkbench, type Workbench } from './support/workbench.js';

describe('the redriver', () => {
  let clock: ManualClock;
  let bench: Workbench;
  let started: Redriver[];
  beforeEach(() => {
    clock = createManualClock();
    bench = createWorkbench(clock);
    started = [];
  });
  afterEach(() => Promise.all(started.map((redriver) => redriver.stop())));

  async function start(driver?: string): Promise<Redriver> {
    const redriver = bench.redriver(driver);
    started.push(redriver);
    await redriver.start();
    await clock.advance(0);
    return redriver;
  }

  const times = (): number[] => bench.replays.map(({ atMs }) => atMs);

  it('replays all that match at an even pace, oldest first, and is done', async () => {
    bench.kill(25);
    const id = bench.order();
    await start();
    await clock.advance(1_950);
    expect(times()).to.deep.equal(Array.from({ length: 20 }, (_, i) => i * 100));
    expect(bench.get(id)).to.include({ state: 'running', done: 20 });
    await clock.advance(1_000);
    expect(bench.replays.map(({ id: job }) => job)).to.deep.equal([...bench.jobs.keys()]);
    expect(bench.get(id)).to.include({ state: 'done', reason: null, done: 25, skipped: 0, matched: 25 });
  });

  it('keeps a pace below one a second, and its lease meanwhile', async () => {
    bench.kill(3);
    bench.order({ ratePerSecond: 0.02 });
    await start('one');
    await start('two');
    await clock.advance(120_000);
    expect(times()).to.deep.equal([0, 50_000, 100_000]);
    const drivers = [...bench.held.values()].map(({ driver }) => driver);
    expect(drivers).to.deep.equal(['one']);
  });

  it('does not burst after a pause', async () => {
    bench.kill(30);
    bench.order();
    await start();
    await clock.advance(1_050);
    bench.health = { ok: false, reason: 'away' };
    await clock.advance(20_000);
    bench.health = { ok: true };
    const before = bench.replays.length;
    await clock.advance(10_000);
    const gaps = times()
      .slice(before)
      .map((at, i, all) => at - (all[i - 1] ?? at - 100));
    expect(gaps).to.have.length(30 - before);
    expect(Math.min(...gaps)).to.equal(100);
  });

  it('drives several at the same time, so that a slow one keeps nobody waiting', async () => {
    bench.kill(4);
    const slow = bench.order({ ratePerSecond: 0.01, filter: { ids: [idOf(1), idOf(2)] } });
    const fast = bench.order({ filter: { ids: [idOf(3), idOf(4)] } });
    const redriver = await start();
    await clock.advance(1_500);
    expect(bench.get(fast)).to.include({ state: 'done', done: 2 });
    expect(bench.get(slow)).to.include({ state: 'running', done: 1 });
    expect(redriver.stats.driven).to.equal(1);
  });

  it('halts by itself when half of the runs that have ended died again', async () => {
    bench.kill(100);
    const id = bench.order();
    await start();
    bench.outcome = { ended: 9, died: 9 };
    await clock.advance(2_000);
    expect(bench.get(id).state).to.equal('running');
    bench.outcome = { ended: 11, died: 5 };
    await clock.advance(2_000);
    expect(bench.get(id).state).to.equal('running');
    bench.outcome = { ended: 12, died: 6 };
    await clock.advance(2_000);
    const { length } = bench.replays;
    expect(bench.get(id)).to.include({
      state: 'halted',
      reason: '6 of the first 12 runs that ended died again: mend the fault, then replay the rest',
      done: length,
    });
    await clock.advance(10_000);
    expect(bench.replays).to.have.length(length);
  });

  it('halts when failures come back after hundreds that went well', async () => {
    bench.kill(900);
    const id = bench.order();
    await start();
    for (let ended = 100; ended <= 500; ended += 100) {
      bench.outcome = { ended, died: 0 };
      await clock.advance(2_000);
    }
    expect(bench.get(id).state).to.equal('running');
    bench.outcome = { ended: 620, died: 120 };
    await clock.advance(2_000);
    expect(bench.get(id).state).to.equal('halted');
    expect(bench.get(id).reason).to.match(/^120 of the last 220 runs/);
  });

  it('ends within a step when it is stopped, and the books count that step', async () => {
    bench.kill(100);
    const id = bench.order();
    await start();
    await clock.advance(1_250);
    await bench.redrives.end(id, 'stopped', 'enough', clock.now());
    await clock.advance(10_000);
    expect(bench.replays.length).to.be.at.most(20);
    expect(bench.get(id)).to.include({ state: 'stopped', reason: 'enough', done: bench.replays.length });
  });

  it('sees a stop in a long wait before the next one', async () => {
    bench.kill(2);
    const id = bench.order({ ratePerSecond: 0.01 });
    const redriver = await start();
    await clock.advance(50_000);
    await bench.redrives.end(id, 'stopped', null, clock.now());
    await clock.advance(6_000);
    expect(redriver.stats.driven).to.equal(0);
    expect(times()).to.deep.equal([0]);
  });

  it('waits for a broker that refuses, passes over nothing, and claims nothing while it is away', async () => {
    bench.kill(5);
    const id = bench.order();
    let asked = 0;
    bench.health = { ok: false, reason: 'away' };
    bench.replay = async (job) => {
      asked++;
      if (asked === 1) throw new Unavailable('away');
      if (asked === 2) throw new Refused('overloaded', 'too much', 1_000);
      return bench.publish(job);
    };
    await start();
    await clock.advance(30_000);
    expect(asked).to.equal(0);
    bench.health = { ok: true };
    await clock.advance(30_000);
    expect(asked).to.equal(7);
    expect(bench.get(id)).to.include({ state: 'done', done: 5, skipped: 0 });
  });

  it('waits for a claim that somebody else holds, and does not take what died again meanwhile', async () => {
    bench.kill(3);
    const id = bench.order();
    const claimed = new Set([idOf(1), idOf(2)]);
    bench.replay = async (job) => (claimed.has(job) ? { kind: 'claimed' } : bench.publish(job));
    await start();
    await clock.advance(3_000);
    expect(bench.replays.map(({ id: job }) => job)).to.deep.equal([idOf(3)]);
    claimed.delete(idOf(1));
    bench.jobs.set(idOf(2), { state: 'dead', run: 2, diedAtMs: clock.now(), queue: 'default' });
    await clock.advance(10_000);
    expect(bench.replays.map(({ id: job }) => job)).to.deep.equal([idOf(3), idOf(1)]);
    expect(bench.get(id)).to.include({ state: 'done', done: 2, skipped: 1 });
  });

  it('passes over what can never be replayed, and says how many', async () => {
    bench.kill(6);
    const id = bench.order();
    const kinds = ['no-payload', 'worn-out', 'forbidden'] as const;
    bench.replay = async (job) => {
      const kind = kinds[Number(job.slice(-1)) - 1];
      if (kind !== undefined) return { kind };
      if (job === idOf(4)) throw new Invalid('unknown_queue', 'there is no such queue');
      if (job === idOf(5)) throw new Unavailable('there is no queue');
      return bench.publish(job);
    };
    bench.jobs.set(idOf(5), { state: 'dead', run: 1, diedAtMs: 0, queue: 'gone' });
    await start();
    await clock.advance(5_000);
    expect(bench.get(id)).to.include({ state: 'done', done: 1, skipped: 5 });
  });

  it('goes on where a recorder that was killed has left off, after its lease, and replays nothing twice', async () => {
    bench.kill(40);
    const id = bench.order();
    const life = { isOver: false };
    await bench.redriver('killed', life).start();
    await clock.advance(1_250);
    life.isOver = true;
    const replayed = bench.replays.length;
    expect(replayed).to.equal(13);
    await start('next');
    await clock.advance(28_000);
    expect(bench.replays).to.have.length(replayed);
    await clock.advance(10_000);
    expect(bench.get(id).state).to.equal('done');
    expect(new Set(bench.replays.map(({ id: job }) => job)).size).to.equal(40);
    expect(bench.replays).to.have.length(40);
    expect(bench.replays.every(({ run }) => run === 2)).to.equal(true);
  });

  it('gives free what it drives when it stops, once what is under way is booked', async () => {
    bench.kill(20);
    const id = bench.order();
    const confirm = createDeferred();
    bench.replay = async (job) => {
      if (job === idOf(4)) await confirm.promise;
      return bench.publish(job);
    };
    const first = await start('first');
    await clock.advance(450);
    const stopped = first.stop();
    await turns();
    expect(bench.get(id).done).to.equal(0);
    confirm.resolve();
    await stopped;
    expect(bench.get(id)).to.include({ state: 'running', done: 5 });
    await start('second');
    await clock.advance(3_000);
    expect(bench.get(id)).to.include({ state: 'done', done: 20 });
    expect(bench.replays).to.have.length(20);
  });

  it('outlives a store that is away', async () => {
    bench.kill(20);
    const id = bench.order();
    await start();
    await clock.advance(450);
    bench.isAway = true;
    await clock.advance(60_000);
    bench.isAway = false;
    await clock.advance(10_000);
    expect(bench.get(id)).to.include({ state: 'done', done: 20, skipped: 0 });
    expect(bench.replays).to.have.length(20);
  });

  it('discards what is still the same death, page by page', async () => {
    bench.kill(450);
    const id = bench.order({ kind: 'discard', ratePerSecond: null });
    bench.jobs.set(idOf(7), { state: 'dead', run: 3, diedAtMs: clock.now() + 5, queue: 'default' });
    await start();
    await clock.advance(100);
    expect(bench.get(id)).to.include({ state: 'done', done: 449, skipped: 0 });
    expect(bench.told).to.have.length(449);
    expect(bench.told[0]).to.deep.equal({
      kind: 'discarded',
      id: idOf(1),
      type: 'echo',
      queue: 'default',
      lane: 'normal',
      run: 1,
      attempt: 1,
      dueAtMs: 0,
      atMs: clock.now() - 100,
    });
    expect(bench.jobs.get(idOf(7))?.state).to.equal('dead');
  });

  it('stops before it was started, and twice', async () => {
    const redriver = bench.redriver();
    await Promise.all([redriver.stop(), redriver.stop()]);
    await redriver.start();
    await redriver.stop();
    expect(clock.waiting).to.equal(0);
  });
});
