/** The conformance suite's part about replays and discards of many. */
import { expect } from 'chai';
import { v7 } from 'uuid';
import { createRedrives, type Redrive, type RedriveStep, type Redrives } from '../../src/store/redrives.js';
import type { StorePair } from './pair.js';
import { accepted, died, jobNumber, recordingOf, startMs, succeeded } from './rows.js';

function redriveNumber(index: number, more: Partial<Redrive> = {}): Redrive {
  return {
    id: jobNumber(index).id,
    kind: 'replay',
    state: 'running',
    reason: null,
    filter: { group: 'abc', diedBeforeMs: startMs },
    ratePerSecond: 0.25,
    matched: 7,
    done: 0,
    skipped: 0,
    cursor: null,
    createdAtMs: startMs,
    updatedAtMs: startMs,
    endedAtMs: null,
    ...more,
  };
}

type Job = ReturnType<typeof jobNumber>;
type Seven = [Job, Job, Job, Job, Job, Job, Job];

function step(more: Partial<RedriveStep> = {}): RedriveStep {
  return { id: v7(), done: 0, skipped: 0, cursor: null, replayed: [], ...more };
}

export function exerciseRedrives(bench: StorePair): void {
  let redrives: Redrives;
  let others: Redrives;
  beforeEach(() => {
    redrives = createRedrives(bench.store.sql);
    others = createRedrives(bench.other.sql);
  });

  it('keeps replays and discards of many as they were ordered, and lists them newest first', async () => {
    const [older, newer] = [redriveNumber(1), redriveNumber(2, { kind: 'discard', ratePerSecond: null })];
    await redrives.create(older);
    await redrives.create(newer);
    expect(await others.get(older.id)).to.deep.equal(older);
    expect(await others.list(5)).to.deep.equal([newer, older]);
    expect(await others.list(1)).to.deep.equal([newer]);
    expect(await redrives.get(redriveNumber(3).id)).to.equal(undefined);
  });

  it('gives one that runs to one driver at a time, and to the next when its lease is over or it is given free', async () => {
    const redrive = redriveNumber(1);
    await redrives.create(redrive);
    const drivers = ['a', 'b', 'c', 'd', 'e', 'f'];
    const claims = await Promise.all(
      drivers.map((driver, i) => (i % 2 === 0 ? redrives : others).claim(driver, 100, 200)),
    );
    expect(claims.filter((claim) => claim !== undefined)).to.deep.equal([redrive]);
    const first = drivers[claims.findIndex((claim) => claim !== undefined)] ?? '';
    expect(await others.claim('z', 200, 300), 'until then').to.equal(undefined);
    expect(await redrives.book(first, 'z', step(), 150, 250)).to.equal(undefined);
    expect(await redrives.book(redrive.id, first, step(), 150, 250), 'renewed').to.include({
      state: 'running',
    });
    expect(await others.claim('z', 250, 300)).to.equal(undefined);
    expect(await others.claim('z', 251, 300)).to.include({ id: redrive.id });
    const late = step({ done: 3, cursor: 'late', replayed: [{ id: jobNumber(5).id, run: 2 }] });
    expect(await redrives.book(redrive.id, first, late, 260, 400), 'another one drives it').to.equal(
      undefined,
    );
    expect(await redrives.get(redrive.id)).to.include({ done: 0, cursor: null });
    await others.book(redrive.id, 'z', step({ cursor: 'c' }), 270, 0);
    expect(await redrives.claim('y', 271, 300), 'given free').to.include({ id: redrive.id, cursor: 'c' });
  });

  it('adds up what was done, also in the step in which it was stopped', async () => {
    const redrive = redriveNumber(1);
    await redrives.create(redrive);
    await redrives.claim('a', 1, 100);
    await redrives.book(redrive.id, 'a', step({ done: 4, skipped: 1, cursor: 'one' }), 10, 100);
    expect(await others.end(redrive.id, 'stopped', 'enough', 20)).to.equal(true);
    expect(await others.end(redrive.id, 'done', null, 30), 'ended already').to.equal(false);
    const last = await redrives.book(redrive.id, 'a', step({ done: 2, skipped: 1, cursor: 'two' }), 40, 100);
    const expected = {
      state: 'stopped',
      reason: 'enough',
      done: 6,
      skipped: 2,
      cursor: 'two',
      endedAtMs: 20,
    };
    expect(last).to.include(expected);
    expect(await redrives.get(redrive.id)).to.deep.equal(last);
    expect(await redrives.claim('b', 1_000, 2_000), 'it runs no more').to.equal(undefined);
    expect(await redrives.end(redriveNumber(2).id, 'stopped', null, 1)).to.equal(false);
  });

  it('counts a step once, though it be booked again', async () => {
    const redrive = redriveNumber(1);
    await redrives.create(redrive);
    await redrives.claim('a', 1, 100);
    const one = step({ done: 4, skipped: 1, cursor: 'one', replayed: [{ id: jobNumber(5).id, run: 2 }] });
    await redrives.book(redrive.id, 'a', one, 10, 100);
    const again = await others.book(redrive.id, 'a', one, 20, 200);
    expect(again).to.include({ done: 4, skipped: 1, cursor: 'one', updatedAtMs: 20 });
    await redrives.book(redrive.id, 'a', step({ done: 1 }), 30, 200);
    const same = await redrives.book(redrive.id, 'a', { ...one, id: v7() }, 40, 200);
    expect(same, 'another step of the same counts').to.include({ done: 9, skipped: 2 });
  });

  it('tells of the runs it began how many have ended, and how many of these died', async () => {
    const redrive = redriveNumber(100);
    await redrives.create(redrive);
    await redrives.claim('a', 1, 100);
    const run = (index: number, number: number) => ({ ...jobNumber(index), run: number as 1 });
    const jobs = [1, 2, 3, 4, 5, 6, 7].map((index) => run(index, 2));
    const [well, dead, again, discarded, waiting, , expired] = jobs as unknown as Seven;
    const replayed = jobs.map(({ id }) => ({ id, run: 2 }));
    await redrives.book(redrive.id, 'a', step({ done: 7, replayed }), 10, 100);
    await redrives.book(redrive.id, 'a', step({ replayed }), 10, 100);
    expect(await redrives.outcome(redrive.id)).to.deep.equal({ ended: 0, died: 0 });
    await bench.store.records.record(
      recordingOf([
        ...jobs.slice(0, 5).map((job) => died({ ...job, run: 1 }, startMs)),
        succeeded(well),
        died(dead, startMs + 1),
        died(again, startMs + 1),
        accepted({ ...again, run: 3 as 1 }),
        died(discarded, startMs + 1),
        { ...discarded, kind: 'discarded' },
        { ...waiting, kind: 'replayed' },
        {
          ...expired,
          kind: 'deadLettered',
          reason: 'expired',
          failure: { name: 'E', message: '' },
          payload: '1',
        },
      ]),
    );
    expect(await redrives.outcome(redrive.id)).to.deep.equal({ ended: 5, died: 4 });
    expect(await redrives.outcome(redriveNumber(101).id)).to.deep.equal({ ended: 0, died: 0 });
  });

  it('forgets ended ones with their runs, one at a time', async () => {
    const [first, second, running] = [redriveNumber(1), redriveNumber(2), redriveNumber(3)];
    for (const redrive of [first, second, running]) await redrives.create(redrive);
    for (const { id } of [first, second]) await redrives.end(id, 'done', null, 1_000);
    const job = jobNumber(9);
    await redrives.book(first.id, 'nobody', step({ replayed: [{ id: job.id, run: 1 }] }), 1, 2);
    await bench.store.records.record(recordingOf([succeeded(job)]));
    expect(await redrives.outcome(first.id)).to.deep.equal({ ended: 1, died: 0 });
    expect(await redrives.sweep(1_000), 'not so old').to.equal(false);
    expect(await redrives.sweep(1_001)).to.equal(true);
    expect(await redrives.outcome(first.id)).to.deep.equal({ ended: 0, died: 0 });
    expect(await redrives.sweep(1_001)).to.equal(true);
    expect(await redrives.sweep(1_001)).to.equal(false);
    expect(await redrives.list(9)).to.deep.equal([running]);
  });
}
