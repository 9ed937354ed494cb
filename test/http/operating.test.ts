import { expect } from 'chai';
import { CancelAnswer, JobAnswer, ReplayAnswer } from '../../src/api/contract.js';
import { createJobId } from '../../src/http/job-id.js';
import { OutcomeUnknown, Refused } from '../../src/job/errors.js';
import { createDeferred } from '../support/deferred.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.js';
import { expectFits } from './support/fits.js';
import { expectProblem } from './support/problem.js';
import { put } from './support/rows.js';
import { apiKey, type Reply, type Served, serve } from './support/serve.js';

describe('operating on jobs over HTTP', () => {
  let store: MemoryStore;
  let served: Served;
  let clock: ManualClock;
  const post = (path: string, body?: unknown): Promise<Reply> =>
    served.ask({
      path,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  const read = async (id: string): Promise<JobAnswer> =>
    (await served.ask({ method: 'GET', path: `/v1/jobs/${id}` })).json<JobAnswer>();

  beforeEach(async () => {
    store = createMemoryStore();
    clock = createManualClock(Date.now());
    served = await serve({ store, clock });
  });
  afterEach(() => served.close());

  describe('POST /v1/jobs/:id/cancel', () => {
    it('registers the order, announces it, and shows it', async () => {
      for (const state of ['scheduled', 'queued', 'active', 'retrying'] as const) {
        const id = put(store, { state, run: 3 });
        const reply = await post(`/v1/jobs/${id}/cancel`);
        expect(reply.status).to.equal(202);
        expect(expectFits(CancelAnswer, reply.json())).to.deep.equal({
          id,
          run: 3,
          cancelRequestedAt: new Date(clock.now()).toISOString(),
          links: { self: `/v1/jobs/${id}` },
        });
        expect(await read(id)).to.include({ cancelRequestedAt: new Date(clock.now()).toISOString() });
        expectFits(JobAnswer, await read(id));
      }
      expect(served.observed.announced).to.equal(4);
    });

    it('is the same order when asked for twice', async () => {
      const id = put(store);
      const first = (await post(`/v1/jobs/${id}/cancel`)).json<CancelAnswer>();
      await clock.advance(5_000);
      const second = await post(`/v1/jobs/${id}/cancel`, {});
      expect(second.json()).to.deep.equal(first);
    });

    it('takes a job that it has just accepted', async () => {
      const { id = '' } = (await served.submit({ type: 'echo', payload: 1 })).json();
      expect((await post(`/v1/jobs/${id}/cancel`)).status).to.equal(202);
      expect(await read(id))
        .to.include({ recorded: false })
        .and.to.have.property('cancelRequestedAt');
    });

    it('is 409 with the state that forbids it, and 404 for a job that nobody knows', async () => {
      for (const state of ['succeeded', 'dead', 'cancelled', 'discarded'] as const) {
        const reply = await post(`/v1/jobs/${put(store, { state })}/cancel`);
        expectProblem(reply, 409, 'conflict');
        expect(reply.json().state).to.equal(state);
      }
      const unknown = await post(`/v1/jobs/${createJobId(clock.now())}/cancel`);
      expectProblem(unknown, 404, 'not_found');
      expect(unknown.headers['retry-after']).to.equal('1');
      expect(served.observed.announced).to.equal(0);
    });
  });

  describe('POST /v1/jobs/:id/replay', () => {
    it('publishes the next run of a dead or cancelled job, due now, and says so', async () => {
      for (const state of ['dead', 'cancelled'] as const) {
        const expiresAtMs = clock.now() + 60_000;
        const id = put(
          store,
          { state, run: 2, attempt: 5, lane: 'high', maxAttempts: 9, timeoutMs: 5, expiresAtMs },
          '{"a":1}',
        );
        const reply = await post(`/v1/jobs/${id}/replay`);
        expect(reply.status).to.equal(202);
        expect(expectFits(ReplayAnswer, reply.json())).to.include({ id, state: 'queued', run: 3 });
        const job = {
          id,
          type: 'echo',
          queue: 'default',
          lane: 'high',
          run: 3,
          attempt: 1,
          dueAtMs: clock.now(),
        };
        const body = Buffer.from('{"a":1}');
        expect(served.broker.stored.at(-1)).to.deep.equal({
          ...job,
          body,
          maxAttempts: 9,
          timeoutMs: 5,
          expiresAtMs,
        });
        expect(served.observed.told.at(-1)).to.deep.equal({ ...job, kind: 'replayed', atMs: clock.now() });
        // The store learns of it by and by; whoever asks here sees the new run already.
        expect(await read(id)).to.include({ state: 'queued', run: 3, recorded: false });
        expectFits(JobAnswer, await read(id));
      }
    });

    it('takes an edited payload that fits the handler, as it was written', async () => {
      const id = put(store, { state: 'dead', type: 'mail.send', queue: 'mail' }, '{}');
      const misfit = await post(`/v1/jobs/${id}/replay`, { payload: {} });
      expectProblem(misfit, 422, 'invalid_payload');
      const payload = '{"to":"a@example.org","n":12345678901234567890}';
      const reply = await served.ask({
        path: `/v1/jobs/${id}/replay`,
        headers: { 'content-type': 'application/json' },
        body: `{"payload": ${payload}}`,
      });
      expect(reply.status).to.equal(202);
      expect(served.broker.stored.map(({ body }) => body.toString())).to.deep.equal([payload]);
      expect(served.observed.told).to.have.length(1);
      expect(served.observed.told[0]).to.include({ kind: 'replayed', payload });
    });

    it('drops a deadline that has passed', async () => {
      const id = put(store, { state: 'dead', reason: 'expired', expiresAtMs: clock.now() - 1 }, '1');
      await post(`/v1/jobs/${id}/replay`);
      expect(served.broker.stored[0]).to.not.have.property('expiresAtMs');
    });

    it('is done by one of several who ask at once', async () => {
      const id = put(store, { state: 'dead' }, '1');
      const replies = await Promise.all([1, 2, 3].map(() => post(`/v1/jobs/${id}/replay`)));
      expect(replies.map(({ status }) => status).sort()).to.deep.equal([202, 409, 409]);
      expect(served.broker.stored).to.have.length(1);
    });

    it('is 409 with the state that forbids it, or without a payload, and 404 for an unknown job', async () => {
      for (const state of ['scheduled', 'queued', 'active', 'retrying', 'succeeded', 'discarded'] as const) {
        const reply = await post(`/v1/jobs/${put(store, { state }, '1')}/replay`);
        expectProblem(reply, 409, 'conflict');
        expect(reply.json().state).to.equal(state);
      }
      const bare = await post(`/v1/jobs/${put(store, { state: 'cancelled' })}/replay`);
      expectProblem(bare, 409, 'conflict');
      expect(bare.json().detail).to.include('payload of this job is not kept');
      const { id } = (await served.submit({ type: 'echo', payload: 1 })).json();
      expectProblem(await post(`/v1/jobs/${id}/replay`), 409, 'conflict');
      expectProblem(await post(`/v1/jobs/${createJobId(clock.now())}/replay`), 404, 'not_found');
      const worn = put(store, { state: 'dead', run: 65_535 }, '1');
      expectProblem(await post(`/v1/jobs/${worn}/replay`), 409, 'conflict');
      expect(served.broker.asked).to.have.length(1);
      expect(served.observed.told).to.deep.equal([]);
    });

    it('takes a payload for a job whose own is not kept', async () => {
      const id = put(store, { state: 'cancelled' });
      expect((await post(`/v1/jobs/${id}/replay`, { payload: null })).status).to.equal(202);
      expect(served.broker.stored[0]?.body.toString()).to.equal('null');
    });

    it('says 503 when the outcome is unknown, and the same run can be tried again after the lease', async () => {
      const id = put(store, { state: 'dead' }, '1');
      const late = createDeferred();
      served.broker.script = () => Promise.reject(new OutcomeUnknown('no confirm', { stored: late.promise }));
      const unknown = await post(`/v1/jobs/${id}/replay`);
      expectProblem(unknown, 503, 'broker_unavailable');
      expect(unknown.headers['retry-after']).to.equal('60');
      expect(unknown.json().detail).to.match(/^outcome unknown: .* in 60 s the same run/);
      expect(unknown.json().id).to.equal(id);
      served.broker.script = () => {};
      expectProblem(await post(`/v1/jobs/${id}/replay`), 409, 'conflict');
      expect(served.observed.told).to.deep.equal([]);
      late.resolve();
      await late.promise;
      expect(served.observed.told.map(({ kind, run }) => [kind, run])).to.deep.equal([['replayed', 2]]);
      await clock.advance(60_000);
      expect((await post(`/v1/jobs/${id}/replay`)).json()).to.include({ run: 2 });
      expect(served.broker.asked.map(({ run }) => run)).to.deep.equal([2, 2]);
    });

    it('claims nothing while the broker is away, and says when to come back after a refusal', async () => {
      const id = put(store, { state: 'dead' }, '1');
      served.broker.healthNow = { ok: false, reason: 'no connection' };
      const away = await post(`/v1/jobs/${id}/replay`);
      expectProblem(away, 503, 'broker_unavailable');
      expect(away.headers['retry-after']).to.equal('1');
      served.broker.healthNow = { ok: true };
      served.broker.script = () => Promise.reject(new Refused('overloaded', 'full', 1_000));
      const refused = await post(`/v1/jobs/${id}/replay`);
      expectProblem(refused, 503, 'overloaded');
      expect(refused.headers['retry-after']).to.equal('60');
      expect(refused.json().detail).to.include('nothing was done');
    });

    it('puts no job back into a queue that is gone', async () => {
      const id = put(store, { state: 'dead', queue: 'gone' }, '1');
      expectProblem(await post(`/v1/jobs/${id}/replay`), 422, 'unknown_queue');
      const stranger = put(store, { state: 'dead', type: 'gone' }, '1');
      expectProblem(await post(`/v1/jobs/${stranger}/replay`, { payload: 1 }), 422, 'unknown_job_type');
      expect((await post(`/v1/jobs/${stranger}/replay`)).status).to.equal(202);
    });
  });

  for (const action of ['cancel', 'replay']) {
    it(`refuses to ${action} with other bodies and parameters, and while the store is away`, async () => {
      const id = put(store, { state: action === 'cancel' ? 'queued' : 'dead' }, '1');
      const path = `/v1/jobs/${id}/${action}`;
      expectProblem(await post(path, { force: true }), 422, 'invalid_job');
      expectProblem(await post(path, [1]), 400, 'invalid_request');
      expectProblem(await post(`${path}?force=1`), 400, 'invalid_request');
      expectProblem(await served.ask({ path, body: '{}' }), 415, 'unsupported_media_type');
      expectProblem(await served.ask({ method: 'GET', path }), 405, 'method_not_allowed');
      expectProblem(await post(`/v1/jobs/nonsense/${action}`), 404, 'not_found');
      expect(store.calls).to.deep.equal({});
      store.isAway = true;
      expectProblem(await post(path), 503, 'store_unavailable');
      expect(served.broker.asked).to.deep.equal([]);
    });
  }
});

describe('reading and operating with API keys', () => {
  const keys = [apiKey('desk', 'sk-read', ['read']), apiKey('ops', 'sk-operate', ['operate'])];
  const paths = [
    ['GET', '', 'sk-read', 'sk-operate'],
    ['POST', '/cancel', 'sk-operate', 'sk-read'],
    ['POST', '/replay', 'sk-operate', 'sk-read'],
  ] as const;

  it('needs the scope read to look, and operate to act', async () => {
    const store = createMemoryStore();
    const served = await serve({ store, keys });
    const id = put(store, { state: 'active' });
    for (const [method, action, right, wrong] of paths) {
      const ask = (secret: string): Promise<Reply> =>
        served.ask({
          method,
          path: `/v1/jobs/${id}${action}`,
          headers: { authorization: `Bearer ${secret}` },
        });
      expectProblem(await ask(wrong), 403, 'forbidden');
      expect((await ask(right)).status).to.not.be.oneOf([401, 403]);
    }
    const list = { method: 'GET', path: '/v1/jobs' } as const;
    expectProblem(await served.ask(list), 401, 'unauthorized');
    expectProblem(
      await served.ask({ ...list, headers: { authorization: 'Bearer sk-operate' } }),
      403,
      'forbidden',
    );
    await served.close();
  });
});
