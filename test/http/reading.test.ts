import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import { JobAnswer, JobPage } from '../../src/api/contract.js';
import { createJobId } from '../../src/http/job-id.js';
import type { JobRow } from '../../src/job/fold.js';
import { createDeferred } from '../support/deferred.js';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.js';
import { expectFits } from './support/fits.js';
import { expectProblem } from './support/problem.js';
import { put } from './support/rows.js';
import { type Reply, type Served, serve } from './support/serve.js';

const failure = JSON.stringify({ name: 'Error', message: 'no', code: 'E1', stack: 'Error: no\n at x' });
const atMs = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
const at = '2026-01-02T03:04:05.006Z';

describe('reading jobs over HTTP', () => {
  let store: MemoryStore;
  let served: Served;
  const get = (path: string): Promise<Reply> => served.ask({ method: 'GET', path });

  beforeEach(async () => {
    store = createMemoryStore();
    served = await serve({ store, desk: { mostWaiters: 2 } });
  });
  afterEach(() => served.close());

  describe('GET /v1/jobs/:id', () => {
    it('tells all that is known of a job, and leaves out what it does not have', async () => {
      const plain = put(store);
      const answer = (await get(`/v1/jobs/${plain}`)).json<JobAnswer>();
      const { acceptedAt } = answer;
      expect(expectFits(JobAnswer, answer)).to.deep.equal({
        id: plain,
        type: 'echo',
        queue: 'default',
        priority: 'normal',
        state: 'queued',
        run: 1,
        attempt: 1,
        acceptedAt,
        dueAt: acceptedAt,
        recorded: true,
        attempts: [],
      });
      const dead = put(
        store,
        {
          state: 'dead',
          run: 2,
          attempt: 3,
          maxAttempts: 3,
          dueAtMs: atMs,
          startedAtMs: atMs,
          finishedAtMs: atMs,
          expiresAtMs: atMs,
          percent: 12.5,
          progressPosition: 2 * 2 ** 37 + 3 * 2 ** 21 + 1,
          note: 'half',
          reason: 'exhausted',
          failure,
          errorGroup: 'abc',
          traceId: 'f'.repeat(32),
        },
        '{"big":12345678901234567890}',
      );
      const one = { run: 2, attempt: 1, rank: 2, tie: 0, endedAtMs: atMs, failure };
      store.attempts.push({ ...one, id: dead, outcome: 'retried', startedAtMs: null });
      store.attempts.push({ ...one, id: dead, attempt: 3, outcome: 'dead', startedAtMs: atMs });
      const reply = await get(`/v1/jobs/${dead.toUpperCase()}`);
      expect(expectFits(JobAnswer, reply.json())).to.include({
        state: 'dead',
        run: 2,
        attempt: 3,
        maxAttempts: 3,
        startedAt: at,
        finishedAt: at,
        expiresAt: at,
        deathReason: 'exhausted',
        errorGroup: 'abc',
        traceId: 'f'.repeat(32),
      });
      const { progress, error, attempts } = reply.json<JobAnswer>();
      expect(progress).to.deep.equal({ percent: 12.5, note: 'half' });
      expect(error).to.deep.equal(JSON.parse(failure));
      expect(attempts).to.deep.equal([
        { run: 2, attempt: 1, outcome: 'retried', endedAt: at, error },
        { run: 2, attempt: 3, outcome: 'dead', startedAt: at, endedAt: at, error },
      ]);
      // As it was sent: a number beyond a double's precision is not rounded.
      expect(reply.text).to.include('"payload":{"big":12345678901234567890}');
    });

    it('gives a result as JSON, and one that was cut as a string that says so', async () => {
      const whole = put(store, { state: 'succeeded', result: '{"a":[null]}' });
      const cut = put(store, { state: 'succeeded', result: '{"a":[nu', resultCutFrom: 12 });
      const nothing = put(store, { state: 'succeeded' });
      const answers = await Promise.all([whole, cut, nothing].map((id) => get(`/v1/jobs/${id}`)));
      const [first, second, third] = answers.map((reply) => reply.json<JobAnswer>());
      for (const answer of [first, second, third]) expectFits(JobAnswer, answer);
      expect(first?.result).to.deep.equal({ a: [null] });
      expect(second).to.include({ result: '{"a":[nu', resultTruncated: true, resultBytes: 12 });
      expect(third).to.not.have.any.keys('result', 'resultTruncated');
    });

    it('shows the progress of the attempt it speaks of, not of one before', async () => {
      // As job/fold counts them: run * 2^37 + attempt * 2^21 + step.
      const told = { percent: 80, note: 'nearly', progressPosition: 2 ** 37 + 2 * 2 ** 21 + 5 };
      const shown = async (row: Partial<JobRow>): Promise<unknown> =>
        (await get(`/v1/jobs/${put(store, { ...told, ...row })}`)).json<JobAnswer>().progress;
      expect(await shown({ state: 'active', attempt: 2 })).to.deep.equal({ percent: 80, note: 'nearly' });
      expect(await shown({ state: 'active', attempt: 3 })).to.equal(undefined);
      expect(await shown({ state: 'queued', run: 2 })).to.equal(undefined);
    });

    it('sees when the time of a delayed or retrying job has come', async () => {
      const states = await Promise.all(
        (['scheduled', 'retrying'] as const).flatMap((state) =>
          [Date.now() + 60_000, Date.now() - 1].map(async (dueAtMs) => {
            const reply = await get(`/v1/jobs/${put(store, { state, dueAtMs })}`);
            return reply.json<JobAnswer>().state;
          }),
        ),
      );
      expect(states).to.deep.equal(['scheduled', 'queued', 'retrying', 'queued']);
    });

    it('knows a job that it has just accepted, before the store does and while it is away', async () => {
      const later = new Date(Date.now() + 60_000).toISOString();
      const job = {
        type: 'echo',
        payload: 1,
        runAt: later,
        maxAttempts: 7,
        expiresAt: '2199-01-01T00:00:00Z',
      };
      const { id = '' } = (await served.submit(job)).json();
      for (const isAway of [false, true]) {
        store.isAway = isAway;
        const answer = (await get(`/v1/jobs/${id}`)).json<JobAnswer>();
        expect(expectFits(JobAnswer, answer)).to.include({
          state: 'scheduled',
          dueAt: later,
          maxAttempts: 7,
          recorded: false,
        });
      }
      store.isAway = false;
      put(store, { id, state: 'active' });
      expect((await get(`/v1/jobs/${id}`)).json()).to.include({ state: 'active', recorded: true });
    });

    it('is 404 for a job that nobody knows; of a fresh one the news may be on its way', async () => {
      const fresh = await get(`/v1/jobs/${createJobId(Date.now())}`);
      expectProblem(fresh, 404, 'not_found');
      expect(fresh.headers['retry-after']).to.equal('1');
      for (const id of [createJobId(Date.now() - 3_600_000), createJobId(Date.now() + 3_600_000)]) {
        const old = await get(`/v1/jobs/${id}`);
        expectProblem(old, 404, 'not_found');
        expect(old.headers).to.not.have.property('retry-after');
      }
      for (const id of ['1', 'b3a4f0a4-5e0c-4d1e-8b9e-3f1a2b3c4d5e', '%00'])
        expectProblem(await get(`/v1/jobs/${id}`), 404, 'not_found');
      expect(store.calls).to.deep.equal({ get: 3 });
    });

    it('is 503 store_unavailable with a reason while the store is away, and jobs are still accepted', async () => {
      const id = put(store);
      store.isAway = true;
      for (const path of [`/v1/jobs/${id}`, '/v1/jobs']) {
        const reply = await get(path);
        expectProblem(reply, 503, 'store_unavailable');
        expect(reply.headers['retry-after']).to.equal('1');
        expect(reply.json().detail).to.equal('the test has taken it away');
      }
      expect((await served.submit({ type: 'echo', payload: 1 })).status).to.equal(202);
    });
  });

  describe('?wait', () => {
    it('answers as soon as the job has ended', async () => {
      const id = put(store, { state: 'active' });
      const asked = get(`/v1/jobs/${id}?wait=60`);
      const twin = get(`/v1/jobs/${id}?wait=60`);
      while ((store.calls['states'] ?? 0) < 2) await new Promise(setImmediate);
      put(store, { id, state: 'succeeded', result: '1' });
      expect((await asked).json()).to.include({ state: 'succeeded', result: 1 });
      expect((await twin).json()).to.include({ state: 'succeeded' });
    });

    it('answers the present state when the time is over, at once when there is nothing to wait for', async () => {
      const running = put(store, { state: 'active' });
      const ended = put(store, { state: 'cancelled' });
      expect((await get(`/v1/jobs/${running}?wait=1`)).json()).to.include({ state: 'active' });
      store.calls['states'] = 0;
      expect((await get(`/v1/jobs/${ended}?wait=60`)).json()).to.include({ state: 'cancelled' });
      expect((await get(`/v1/jobs/${running}?wait=0`)).json()).to.include({ state: 'active' });
      expect(store.calls['states']).to.equal(0);
    });

    it('holds on while the store is away', async () => {
      const id = put(store, { state: 'active' });
      const asked = get(`/v1/jobs/${id}?wait=60`);
      while ((store.calls['states'] ?? 0) < 1) await new Promise(setImmediate);
      store.isAway = true;
      const before = store.calls['states'] ?? 0;
      while ((store.calls['states'] ?? 0) === before) await new Promise(setImmediate);
      store.isAway = false;
      put(store, { id, state: 'dead' });
      expect((await asked).json()).to.include({ state: 'dead' });
    });

    it('holds a bounded number of requests, and lets go of those whose client has gone', async () => {
      const id = put(store, { state: 'active' });
      const clients = await Promise.all([served.raw(), served.raw()]);
      for (const raw of clients) raw.write(`GET /v1/jobs/${id}?wait=60 HTTP/1.1\r\nHost: a\r\n\r\n`);
      while ((store.calls['get'] ?? 0) < 2) await new Promise(setImmediate);
      const third = await get(`/v1/jobs/${id}?wait=60`);
      expectProblem(third, 503, 'overloaded');
      for (const raw of clients) raw.socket.destroy();
      let reply = third;
      while (reply.status === 503) reply = await get(`/v1/jobs/${id}?wait=1`);
      expect(reply.status).to.equal(200);
      expect(served.observed.requested.filter(({ status }) => status === 499)).to.have.length(2);
    });

    it('holds no place for a client that left while the job was looked up', async () => {
      const id = put(store, { state: 'active' });
      const [seen, held] = [createDeferred<ServerResponse>(), createDeferred()];
      const hear = (message: unknown): void =>
        seen.resolve((message as { response: ServerResponse }).response);
      subscribe('http.server.request.start', hear);
      const { get: found } = store.jobs;
      Object.assign(store.jobs, { get: (wanted: string) => held.promise.then(() => found(wanted)) });
      const client = await served.raw();
      client.write(`GET /v1/jobs/${id}?wait=60 HTTP/1.1\r\nHost: a\r\n\r\n`);
      const response = await seen.promise;
      unsubscribe('http.server.request.start', hear);
      const closed = once(response, 'close');
      client.socket.destroy();
      await closed;
      held.resolve();
      while (served.observed.requested.length === 0) await new Promise(setImmediate);
      expect(served.observed.requested).to.deep.equal([
        { method: 'GET', route: '/v1/jobs/:id', status: 499 },
      ]);
    });

    it('ends at a stop, with the present state', async () => {
      const id = put(store, { state: 'active' });
      const asked = get(`/v1/jobs/${id}?wait=60`);
      while ((store.calls['states'] ?? 0) < 1) await new Promise(setImmediate);
      await served.close();
      expect((await asked).json()).to.include({ state: 'active' });
    });
  });

  describe('GET /v1/jobs', () => {
    it('lists the newest first, page by page, without stacks and results', async () => {
      const first = Date.now() - 10_000;
      const ids = Array.from({ length: 5 }, (_, index) =>
        put(store, { id: createJobId(first + index), state: 'dead', failure, result: '1' }),
      );
      const page = async (path: string): Promise<JobPage> => {
        const answer = (await get(path)).json<JobPage>();
        expectFits(JobPage, answer);
        return answer;
      };
      const one = await page('/v1/jobs?limit=3');
      expect(one.jobs.map(({ id }) => id)).to.deep.equal(ids.slice(2).toReversed());
      expect(one.jobs[0]?.error).to.deep.equal({ name: 'Error', message: 'no', code: 'E1' });
      const two = await page(`/v1/jobs?limit=3&cursor=${one.next}`);
      expect(two.jobs.map(({ id }) => id)).to.deep.equal(ids.slice(0, 2).toReversed());
      expect(two.next).to.equal(null);
    });

    it('filters by state, type and queue', async () => {
      const wanted = put(store, { state: 'dead', type: 'mail.send', queue: 'mail' });
      put(store, { state: 'dead' });
      put(store, { state: 'active', type: 'mail.send', queue: 'mail' });
      const reply = await get('/v1/jobs?state=dead&type=mail.send&queue=mail');
      expect(reply.json<JobPage>().jobs.map(({ id }) => id)).to.deep.equal([wanted]);
      expect((await get('/v1/jobs?queue=nobodys')).json()).to.deep.equal({ jobs: [], next: null });
    });
  });

  it('refuses parameters that are unknown, doubled, empty or out of bounds', async () => {
    const id = put(store);
    const wrong = [
      `/v1/jobs/${id}?wiat=5`,
      `/v1/jobs/${id}?wait=61`,
      `/v1/jobs/${id}?wait=1.5`,
      `/v1/jobs/${id}?wait=-1`,
      `/v1/jobs/${id}?wait=`,
      `/v1/jobs/${id}?wait=1&wait=2`,
      '/v1/jobs?status=dead',
      '/v1/jobs?state=died',
      '/v1/jobs?state=dead&state=active',
      '/v1/jobs?limit=0',
      '/v1/jobs?limit=201',
      '/v1/jobs?limit=5e1',
      '/v1/jobs?type=%27',
      '/v1/jobs?queue=a.b',
    ];
    for (const path of wrong) expectProblem(await get(path), 400, 'invalid_request');
    expect(store.calls).to.deep.equal({});
  });

  it('takes the path of batches for no job', async () => {
    for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS'] as const) {
      const reply = await served.ask({ method, path: '/v1/jobs/batch' });
      expect([method, reply.status, reply.headers['allow']]).to.deep.equal([method, 405, 'POST']);
    }
    expect(served.observed.refused).to.deep.equal([]);
  });

  it('names its routes by their patterns', async () => {
    const id = put(store);
    for (const path of ['/v1/jobs?limit=1', `/v1/jobs/${id}?wait=0`, '/v1/jobs/batch', '/v1/jobs/a/b'])
      await get(path);
    expect(served.observed.requested).to.deep.equal([
      { method: 'GET', route: '/v1/jobs', status: 200 },
      { method: 'GET', route: '/v1/jobs/:id', status: 200 },
      { method: 'GET', route: '/v1/jobs/batch', status: 405 },
      { method: 'GET', route: 'other', status: 404 },
    ]);
    expect(served.observed.refused).to.deep.equal([]);
  });
});
