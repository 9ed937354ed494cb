/** The conformance suite's part about what people read. */
import { expect } from 'chai';
import { Invalid } from '../../src/job/errors.js';
import { createJobReader } from '../../src/store/jobs.js';
import type { JobFilter, JobReader } from '../../src/store/store.js';
import { rejectionOf } from '../broker/inbox.js';
import type { StorePair } from './pair.js';
import { accepted, died, jobNumber, recordingOf, retried, startMs, succeeded } from './rows.js';

export function exerciseReaders(bench: StorePair): void {
  async function idsOf(
    filter: JobFilter,
    nowMs: number,
    limit = 3,
    reader: Pick<JobReader, 'list'> = bench.store.jobs,
  ): Promise<string[]> {
    const ids: string[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await reader.list(filter, {
        limit,
        nowMs,
        ...(cursor === undefined ? {} : { cursor }),
      });
      expect(page.rows.length).to.be.at.most(limit);
      ids.push(...page.rows.map(({ id }) => id));
      if (page.next === undefined) return ids;
      cursor = page.next;
    }
  }

  it('lists every job once, newest first, page by page, while others come', async () => {
    const jobs = Array.from({ length: 10 }, (_, i) =>
      jobNumber(i, i % 2 === 0 ? 'even' : 'odd', i < 5 ? 'a' : 'b'),
    );
    await bench.store.records.record(recordingOf(jobs.map((job) => accepted(job))));
    const newest = jobs.map(({ id }) => id).toReversed();
    expect(await idsOf({}, 0)).to.deep.equal(newest);
    expect(await idsOf({}, 0, 5)).to.deep.equal(newest);
    expect(await idsOf({ queue: 'a' }, 0)).to.deep.equal(newest.slice(5));
    expect(await idsOf({ type: 'even', queue: 'b' }, 0)).to.deep.equal([jobs[8]?.id, jobs[6]?.id]);
    expect(await idsOf({ type: 'none' }, 0)).to.deep.equal([]);
    const first = await bench.store.jobs.list({}, { limit: 4, nowMs: 0 });
    await bench.store.records.record(recordingOf([accepted(jobNumber(100))]));
    const second = await bench.store.jobs.list({}, { limit: 4, nowMs: 0, cursor: first.next ?? '' });
    expect(second.rows.map(({ id }) => id)).to.deep.equal(newest.slice(4, 8));
  });

  it('looks at so many rows for a page and no more, and says where to go on, though it has found none', async () => {
    const dueMs = startMs + 1_000;
    const jobs = Array.from({ length: 24 }, (_, i) => jobNumber(i, i === 3 ? 'rare' : 'echo'));
    const eventsOf = (job: (typeof jobs)[number], i: number) =>
      [accepted(job), accepted(job, dueMs), retried(job, dueMs), succeeded(job)][i % 4] ?? accepted(job);
    await bench.store.records.record(recordingOf(jobs.map(eventsOf)));
    const bounded = createJobReader(bench.store.sql, 5);
    const [first, second] = [
      await bounded.list({ type: 'rare' }, { limit: 3, nowMs: 0 }),
      await bounded.list({ state: 'succeeded', type: 'rare' }, { limit: 3, nowMs: 0 }),
    ];
    expect([first.rows, second.rows]).to.deep.equal([[], []]);
    expect([first.next, second.next]).not.to.include(undefined);
    const states = [undefined, 'queued', 'scheduled', 'retrying', 'succeeded', 'dead'] as const;
    for (const state of states) {
      for (const type of [undefined, 'rare', 'echo', 'none']) {
        for (const nowMs of [0, dueMs]) {
          const filter = { ...(state && { state }), ...(type && { type }) };
          const what = JSON.stringify({ ...filter, nowMs });
          expect(await idsOf(filter, nowMs, 2, bounded), what).to.deep.equal(await idsOf(filter, nowMs, 100));
        }
      }
    }
  });

  it('shows a job whose time has come as queued, and only as that', async () => {
    const [queued, later, retrying, done] = [jobNumber(0), jobNumber(1), jobNumber(2), jobNumber(3)];
    const dueMs = startMs + 1_000;
    await bench.store.records.record(
      recordingOf([accepted(queued), accepted(later, dueMs), retried(retrying, dueMs), succeeded(done)]),
    );
    expect(await idsOf({ state: 'queued' }, dueMs - 1, 1)).to.deep.equal([queued.id]);
    expect(await idsOf({ state: 'scheduled' }, dueMs - 1)).to.deep.equal([later.id]);
    expect(await idsOf({ state: 'retrying' }, dueMs - 1)).to.deep.equal([retrying.id]);
    expect(await idsOf({ state: 'queued' }, dueMs, 1)).to.deep.equal([retrying.id, later.id, queued.id]);
    expect(await idsOf({ state: 'scheduled' }, dueMs)).to.deep.equal([]);
    expect(await idsOf({ state: 'retrying' }, dueMs)).to.deep.equal([]);
    const { rows } = await bench.store.jobs.list({}, { limit: 9, nowMs: dueMs });
    expect(rows.map(({ state }) => state)).to.deep.equal(['succeeded', 'queued', 'queued', 'queued']);
    const counts = await bench.store.jobs.counts(dueMs);
    expect(counts).to.have.deep.members([
      { queue: 'default', lane: 'normal', state: 'queued', count: 3, oldestDueMs: queued.dueAtMs },
    ]);
    const before = await bench.store.jobs.counts(dueMs - 1);
    expect(before.map(({ state, count }) => `${state} ${count}`).sort()).to.deep.equal([
      'queued 1',
      'retrying 1',
      'scheduled 1',
    ]);
    expect(await bench.store.jobs.size()).to.equal(4);
  });

  it('says which cursor it cannot take', async () => {
    for (const cursor of ['', 'x', 'not a cursor', Buffer.from('../../etc').toString('base64url'), '\0']) {
      for (const reading of [
        bench.store.jobs.list({}, { limit: 1, nowMs: 0, cursor }),
        bench.store.jobs.deadIds({}, { limit: 1, cursor }),
      ]) {
        const error = await rejectionOf(reading);
        expect(error).to.be.instanceOf(Invalid).with.property('code', 'invalid_request');
      }
    }
  });

  it('gets one job with its failed attempts and its payload, and nothing for what is no id', async () => {
    const job = jobNumber(1);
    const last = { ...job, attempt: 2 as 1 };
    await bench.store.records.record(
      recordingOf([accepted(job), retried(job, startMs), died(last, startMs + 9)]),
    );
    const found = await bench.store.jobs.get(job.id);
    expect(found?.row).to.include({ state: 'dead', attempt: 2, finishedAtMs: startMs + 9, isAccepted: true });
    expect(found?.attempts.map(({ attempt, outcome }) => [attempt, outcome])).to.deep.equal([
      [1, 'retried'],
      [2, 'dead'],
    ]);
    expect(found?.payload).to.equal('{"n":1}');
    for (const id of ['', 'nobody', "'; drop table sluice_jobs", '\0']) {
      expect(await bench.store.jobs.get(id)).to.equal(undefined);
    }
  });

  it('tells the states of many jobs, and leaves out whom it does not know', async () => {
    const jobs = Array.from({ length: 600 }, (_, i) => jobNumber(i));
    await bench.store.records.record(
      recordingOf(jobs.map((job, i) => (i === 0 ? succeeded(job) : accepted(job)))),
    );
    const states = await bench.store.jobs.states([...jobs.map(({ id }) => id), jobNumber(1000).id, 'x"y']);
    expect(states).to.have.length(600);
    expect(states.find(({ id }) => id === jobs[0]?.id)).to.deep.equal({
      id: jobs[0]?.id,
      run: 1,
      state: 'succeeded',
    });
    expect(await bench.store.jobs.states([])).to.deep.equal([]);
  });

  it('groups the dead by their error, counts them, and walks through them oldest death first', async () => {
    const jobs = Array.from({ length: 7 }, (_, i) => jobNumber(i, i === 6 ? 'mail' : 'echo'));
    // The first job dies last.
    const deaths = jobs.map((job, i) => died(job, startMs + 100 - i, i < 2 ? 'timeout' : 'refused'));
    await bench.store.records.record(recordingOf([...deaths, accepted(jobNumber(9))]));
    const { jobs: reader } = bench.store;
    const groups = await reader.deadGroups({}, 10);
    expect(
      groups.map(({ count, firstAtMs, lastAtMs, example }) => [count, firstAtMs, lastAtMs, example.id]),
    ).to.deep.equal([
      [4, startMs + 95, startMs + 98, jobs[2]?.id],
      [2, startMs + 99, startMs + 100, jobs[0]?.id],
      [1, startMs + 94, startMs + 94, jobs[6]?.id],
    ]);
    expect(groups[0]?.example).to.include({
      type: 'echo',
      queue: 'default',
      name: 'Error',
      message: 'refused',
    });
    expect(await reader.deadGroups({}, 1)).to.have.length(1);
    const group = groups[0]?.group ?? '';
    expect(await reader.countDead({})).to.equal(7);
    expect(await reader.countDead({ group })).to.equal(4);
    expect(await reader.countDead({ group, type: 'mail' })).to.equal(0);
    expect(await reader.countDead({ ids: [jobs[0]?.id ?? '', jobNumber(50).id] })).to.equal(1);
    expect(await reader.countDead({ diedBeforeMs: startMs + 95 })).to.equal(1);
    const ids: string[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await reader.deadIds({}, { limit: 3, ...(cursor === undefined ? {} : { cursor }) });
      ids.push(...page.ids);
      if (page.next === undefined) break;
      cursor = page.next;
    }
    expect(ids).to.deep.equal(jobs.map(({ id }) => id).toReversed());
    expect(await idsOf({ state: 'dead', group }, 0)).to.have.length(4);
  });
}
