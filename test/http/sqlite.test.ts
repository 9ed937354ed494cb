/** The routes over a real store: what they ask of it and what it answers fit together. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Accepted, JobAnswer, JobPage } from '../../src/api/contract.js';
import { createAcceptedEvents } from '../../src/http/accepted.js';
import { createJobId } from '../../src/http/job-id.js';
import { Unavailable } from '../../src/job/errors.js';
import type { AboutJob, JobEvent } from '../../src/job/event.js';
import { fold } from '../../src/job/fold.js';
import { systemClock as clock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import { createSqliteStore } from '../../src/store/sqlite.js';
import type { Store } from '../../src/store/store.js';
import { expectFits } from './support/fits.js';
import { expectProblem } from './support/problem.js';
import { type Reply, type Served, serve } from './support/serve.js';

const failure = { name: 'Error', message: 'no' };

describe('the job routes over SQLite', () => {
  let folder: string;
  let store: Store;
  let served: Served;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-http-'));
    const failed = (error: Error): void => {
      throw error;
    };
    store = createSqliteStore({ folder, clock, log: createLog('silent'), failed });
    await store.start();
    served = await serve({ store });
  });
  afterEach(async () => {
    await served.close();
    await store.stop();
    rmSync(folder, { recursive: true });
  });

  const record = (...events: JobEvent[]): Promise<void> =>
    store.records.record({ receipts: [], flow: [], ...fold(events) });
  const get = (path: string): Promise<Reply> => served.ask({ method: 'GET', path });
  const post = (path: string): Promise<Reply> => served.ask({ path });
  const read = async (id: string): Promise<JobAnswer> => {
    const answer = (await get(`/v1/jobs/${id}`)).json<JobAnswer>();
    expectFits(JobAnswer, answer);
    return answer;
  };

  /** Submits a job and records it as accepted; resolves with what its next events begin with. */
  async function submitted(): Promise<AboutJob> {
    await served.submit({ type: 'echo', payload: { n: 1 } });
    const job = served.broker.stored.at(-1);
    if (job === undefined) throw new Error('nothing was published');
    const told: JobEvent[] = [];
    createAcceptedEvents({ tell: (event) => told.push(event), recordPayload: false })(job);
    await record(...told);
    const { id, type, queue, lane, run, attempt, dueAtMs } = job;
    return { id, type, queue, lane, run, attempt, dueAtMs, atMs: clock.now() };
  }

  it('follow a job through its death and replay to its end', async () => {
    const about = await submitted();
    const { id } = about;
    expect(await read(id)).to.include({ state: 'queued', recorded: true });
    const startedAtMs = clock.now();
    await record({
      ...about,
      kind: 'deadLettered',
      startedAtMs,
      reason: 'permanent',
      failure,
      payload: '{"n":1}',
    });
    const dead = await read(id);
    expect(dead).to.deep.include({
      state: 'dead',
      deathReason: 'permanent',
      error: failure,
      payload: { n: 1 },
    });
    expect(dead.errorGroup).to.be.a('string');
    expect(dead.attempts).to.have.length(1);
    const replies = await Promise.all([post(`/v1/jobs/${id}/replay`), post(`/v1/jobs/${id}/replay`)]);
    expect(replies.map(({ status }) => status).sort()).to.deep.equal([202, 409]);
    expect(await read(id)).to.include({ state: 'queued', run: 2, recorded: false });
    await record(...served.observed.told);
    expect(await read(id)).to.include({ state: 'queued', run: 2, recorded: true });
    const waiting = get(`/v1/jobs/${id}?wait=60`);
    await record({ ...about, run: 2, kind: 'succeeded', startedAtMs, result: '[1]' });
    expect((await waiting).json()).to.deep.include({ state: 'succeeded', result: [1] });
    const again = await post(`/v1/jobs/${id}/replay`);
    expectProblem(again, 409, 'conflict');
    expect(again.json().state).to.equal('succeeded');
  });

  it('register a cancel, which workers read, and show it until the job has ended', async () => {
    const about = await submitted();
    const { id } = about;
    expect((await post(`/v1/jobs/${id}/cancel`)).status).to.equal(202);
    expect((await store.registers.orders()).cancels).to.deep.equal([{ id, run: 1 }]);
    expect(await read(id)).to.have.property('cancelRequestedAt');
    await record({ ...about, kind: 'cancelled', failure, payload: '1' });
    expect(await read(id))
      .to.include({ state: 'cancelled' })
      .and.to.not.have.property('cancelRequestedAt');
    expectProblem(await post(`/v1/jobs/${id}/cancel`), 409, 'conflict');
    expectProblem(await post(`/v1/jobs/${createJobId(clock.now())}/cancel`), 404, 'not_found');
  });

  it('list by pages, and refuse a cursor that they have not given', async () => {
    const ids = [];
    for (let count = 0; count < 5; count++) ids.push((await submitted()).id);
    const found: string[] = [];
    let path = '/v1/jobs?state=queued&limit=2';
    for (let pages = 0; pages < 3; pages++) {
      const page = (await get(path)).json<JobPage>();
      expectFits(JobPage, page);
      found.push(...page.jobs.map(({ id }) => id));
      path = `/v1/jobs?state=queued&limit=2&cursor=${page.next}`;
    }
    expect(found).to.deep.equal(ids.sort().toReversed());
    expectProblem(await get('/v1/jobs?cursor=mine'), 400, 'invalid_request');
  });

  it('keep idempotency keys across processes', async () => {
    const other = await serve({ store });
    const body = { type: 'echo', payload: 1 };
    const key = { 'idempotency-key': 'k' };
    const replies = await Promise.all([served, other, served, other].map((one) => one.submit(body, key)));
    const [first] = replies.map((reply) => reply.json<Accepted>().id);
    for (const reply of replies)
      expect([reply.status, reply.json<Accepted>().id]).to.deep.equal([202, first]);
    expect(served.broker.stored.length + other.broker.stored.length).to.equal(1);
    expectProblem(await other.submit({ ...body, payload: 2 }, key), 422, 'idempotency_conflict');
    served.broker.script = () => Promise.reject(new Unavailable('not connected'));
    expectProblem(await served.submit(body, { 'idempotency-key': 'k2' }), 503, 'broker_unavailable');
    expect((await other.submit(body, { 'idempotency-key': 'k2' })).status).to.equal(202);
    await other.close();
  });
});
