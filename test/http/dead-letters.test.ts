/** The workbench of dead letters over HTTP and a real store; nobody drives what is ordered. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  DeadLetterPage,
  RedriveAccepted,
  type RedriveList,
  RedriveView,
} from '../../src/api/dead-letters.js';
import { createDeadLetters } from '../../src/operations/dead-letters.js';
import { systemClock as clock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import { createRedrives, type Redrives } from '../../src/store/redrives.js';
import type { SqlStore } from '../../src/store/sql-store.js';
import { createSqliteStore } from '../../src/store/sqlite.js';
import { accepted, died, jobNumber, recordingOf, startMs } from '../store/rows.js';
import { expectFits } from './support/fits.js';
import { expectProblem } from './support/problem.js';
import { apiKey, type Reply, type Served, serve } from './support/serve.js';

const log = createLog('silent');
const path = '/v1/dead-letters';
/** Three died of one error, two of another, of which one in the queue `mail`. */
const jobs = [1, 2, 3, 4, 5].map((n) =>
  jobNumber(n, n > 3 ? 'mail.send' : 'echo', n > 4 ? 'mail' : 'default'),
);

describe('the dead letters over HTTP', () => {
  let folder: string;
  let store: SqlStore;
  let redrives: Redrives;
  let served: Served;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-dead-'));
    store = createSqliteStore({ folder, clock, log, failed() {} });
    await store.start();
    const deaths = jobs.map((job, i) => died(job, startMs + 1_000 * i, i < 3 ? 'no luck' : 'no mail'));
    await store.records.record(recordingOf([...deaths, accepted(jobNumber(9))]));
    redrives = createRedrives(store.sql);
  });
  beforeEach(async () => {
    served = await serve({
      store,
      desk: { deadLetters: createDeadLetters({ jobs: store.jobs, redrives, clock, log }) },
    });
  });
  afterEach(() => served.close());
  after(async () => {
    await store.stop();
    rmSync(folder, { recursive: true });
  });

  const get = (rest = ''): Promise<Reply> => served.ask({ method: 'GET', path: path + rest });
  const post = (rest: string, body?: unknown): Promise<Reply> =>
    served.ask({
      path: path + rest,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  const page = async (query = ''): Promise<DeadLetterPage> => {
    const reply = await get(query);
    expect(reply.status, reply.text).to.equal(200);
    return expectFits(DeadLetterPage, reply.json()) as DeadLetterPage;
  };
  const start = async (kind: 'replay' | 'discard', body: object): Promise<RedriveAccepted> => {
    const reply = await post(`/${kind}`, body);
    expect(reply.status, reply.text).to.equal(202);
    return expectFits(RedriveAccepted, reply.json()) as RedriveAccepted;
  };
  const view = async (id: string | null): Promise<RedriveView> =>
    expectFits(RedriveView, (await get(`/replays/${id}`)).json()) as RedriveView;

  it('are grouped by error, with counts, first and last seen and an example, and listed newest first', async () => {
    const { total, groups, items, next } = await page();
    expect([total, next]).to.deep.equal([5, null]);
    expect(groups.map(({ count, example }) => [count, example.message, example.id])).to.deep.equal([
      [3, 'no luck', jobs[2]?.id],
      [2, 'no mail', jobs[4]?.id],
    ]);
    expect(groups[0]?.firstAt).to.equal(new Date(startMs).toISOString());
    expect(groups[0]?.lastAt).to.equal(new Date(startMs + 2_000).toISOString());
    expect(items.map(({ id }) => id)).to.deep.equal(jobs.map(({ id }) => id).reverse());
    expect(items[0]?.error).to.deep.equal({ name: 'Error', message: 'no mail' });
  });

  it('are narrowed by group, type and queue, and paged', async () => {
    const group = (await page()).groups[1]?.group;
    expect((await page(`?group=${group}`)).items.map(({ id }) => id)).to.deep.equal([
      jobs[4]?.id,
      jobs[3]?.id,
    ]);
    expect(await page('?queue=mail')).to.include({ total: 1 });
    expect((await page('?type=echo')).groups).to.have.length(1);
    expect(await page('?queue=elsewhere')).to.deep.equal({ total: 0, groups: [], items: [], next: null });
    const first = await page('?limit=3');
    const second = await page(`?limit=3&cursor=${first.next}`);
    expect([...first.items, ...second.items].map(({ id }) => id)).to.deep.equal(
      jobs.map(({ id }) => id).reverse(),
    );
    expect([first.total, second.total, second.next]).to.deep.equal([5, 5, null]);
  });

  it('are counted by a dry run, which orders nothing', async () => {
    const before = new Date(startMs + 3_000).toISOString();
    const ids = [jobs[0]?.id.toUpperCase(), jobs[4]?.id, jobNumber(77).id];
    for (const [filter, matched] of [
      [{}, 5],
      [{ type: 'echo' }, 3],
      [{ before }, 3],
      [{ ids }, 2],
      [{ queue: 'mail', before }, 0],
    ] as const) {
      for (const kind of ['replay', 'discard'] as const)
        expect(await start(kind, { filter, dryRun: true })).to.deep.equal({ id: null, matched });
    }
    expect((await get('/replays')).json<RedriveList>()).to.deep.equal({ replays: [] });
  });

  it('are replayed and discarded by orders that can be seen and stopped', async () => {
    const replay = await start('replay', { filter: { type: 'echo' }, ratePerSecond: 0.5 });
    expect(replay).to.deep.include({
      matched: 3,
      links: { self: `${path}/replays/${replay.id}`, stop: `${path}/replays/${replay.id}/stop` },
    });
    const discard = await start('discard', { filter: {} });
    const seen = await view(replay.id);
    expect(seen).to.include({ kind: 'replay', state: 'running', matched: 3, done: 0, ratePerSecond: 0.5 });
    expect(seen.filter.type).to.equal('echo');
    expect(Date.parse(seen.filter.before ?? '')).to.equal(Date.parse(seen.createdAt) + 1);
    const listed = (await get('/replays')).json<RedriveList>().replays;
    expect(listed.map(({ id }) => id)).to.deep.equal([discard.id, replay.id]);
    expect(listed[0]).to.include({ kind: 'discard', ratePerSecond: null, matched: 5 });

    for (const _ of ['once', 'twice']) {
      const stopped = await post(`/replays/${replay.id}/stop`);
      expect([stopped.status, stopped.json<RedriveView>().state]).to.deep.equal([202, 'stopped']);
    }
    await redrives.end(discard.id ?? '', 'done', null, clock.now());
    const late = await post(`/replays/${discard.id}/stop`);
    expectProblem(late, 409, 'conflict');
    expect(late.json().detail).to.equal('the discard is done already, so there is nothing to stop');
  });

  it('replay ten a second unless told otherwise', async () => {
    const { id } = await start('replay', { filter: { queue: 'elsewhere' } });
    expect(await view(id)).to.include({ ratePerSecond: 10, matched: 0 });
  });

  it('refuse what they do not know, and say what to do', async () => {
    const faults: [unknown, string][] = [
      [{}, "send a 'filter' of ids, group, type, queue, before; {} means all dead jobs"],
      [
        { filter: { typ: 'echo' } },
        "unknown field 'typ' in 'filter', known are ids, group, type, queue, before",
      ],
      [{ filter: {}, rate: 5 }, "unknown field 'rate', known are filter, ratePerSecond, dryRun"],
      [{ filter: {}, ratePerSecond: 0 }, "'ratePerSecond' must be >= 0.01"],
      [{ filter: { before: 'yesterday' } }, `'filter.before' must match format "date-time"`],
      [{ filter: { before: '2026-12-31T23:59:60Z' } }, "'filter.before' is no time that there is"],
      [{ filter: { ids: [] } }, "'filter.ids' must NOT have fewer than 1 items"],
      [[], 'send a JSON object with the fields filter, ratePerSecond, dryRun'],
    ];
    for (const [body, detail] of faults) {
      const reply = await post('/replay', body);
      expectProblem(reply, 422, 'invalid_job');
      expect(reply.json().detail).to.equal(detail);
    }
    expectProblem(await post('/discard', { filter: {}, ratePerSecond: 1 }), 422, 'invalid_job');
    expectProblem(await post('/replay?dryRun=true', { filter: {} }), 400, 'invalid_request');
    expectProblem(await post('/replay'), 415, 'unsupported_media_type');
    for (const query of [
      '?before=2026-01-01',
      '?limit=0',
      '?type=a%20b',
      '?queue=a.b',
      '?cursor=x',
      '?group=',
    ])
      expectProblem(await get(query), 400, 'invalid_request');
    for (const id of ['x', jobNumber(5).id]) {
      expectProblem(await get(`/replays/${id}`), 404, 'not_found');
      expectProblem(await post(`/replays/${id}/stop`), 404, 'not_found');
    }
  });

  it('are read with one scope and changed with another', async () => {
    await served.close();
    const keys = [apiKey('reader', 'r', ['read']), apiKey('operator', 'o', ['operate'])];
    served = await serve({
      store,
      keys,
      desk: { deadLetters: createDeadLetters({ jobs: store.jobs, redrives, clock, log }) },
    });
    const as = async (key: string, method: 'GET' | 'POST', rest: string): Promise<number> =>
      (await served.ask({ method, path: path + rest, headers: { authorization: `Bearer ${key}` } })).status;
    expect(await as('r', 'GET', '')).to.equal(200);
    expect(await as('o', 'GET', '')).to.equal(403);
    for (const rest of ['/replay', '/discard', `/replays/${jobNumber(5).id}/stop`]) {
      expect(await as('r', 'POST', rest)).to.equal(403);
      expect(await as('o', 'POST', rest)).not.to.equal(403);
    }
    const labels = new Set(served.observed.requested.map(({ route }) => route));
    expect(labels).to.include(`${path}/replays/:id/stop`);
  });
});
