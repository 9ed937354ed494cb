import { expect } from 'chai';
import type { Accepted, BatchAnswer } from '../../src/api/contract.js';
import { OutcomeUnknown, Unavailable } from '../../src/job/errors.js';
import { createDeferred } from '../support/deferred.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.js';
import { expectProblem } from './support/problem.js';
import { apiKey, type Reply, type Served, serve } from './support/serve.js';

const job = { type: 'echo', payload: { a: 1 } };
const leaseMs = 60_000;

describe('Idempotency-Key', () => {
  let store: MemoryStore;
  let clock: ManualClock;
  let served: Served;
  const submit = (value: unknown = job, key = 'key-1'): Promise<Reply> =>
    served.submit(value, { 'idempotency-key': key });

  /** The store has been asked so often, and whoever asked waits to ask again. */
  const reserved = async (count: number): Promise<void> => {
    while ((store.calls['reserve'] ?? 0) < count) await new Promise(setImmediate);
    await new Promise(setImmediate);
  };

  beforeEach(async () => {
    store = createMemoryStore();
    clock = createManualClock(Date.now());
    served = await serve({ store, clock });
  });
  afterEach(() => served.close());

  it('costs requests without one nothing', async () => {
    store.isAway = true;
    expect((await served.submit(job)).status).to.equal(202);
    await served.submitLines([JSON.stringify(job)]);
    expect(store.calls).to.deep.equal({});
  });

  it('makes one job of many requests with the same body, and says which made it', async () => {
    const first = await submit({ ...job, delayMs: 5_000 });
    expect(first.status).to.equal(202);
    expect(first.headers['idempotency-replayed']).to.equal('false');
    await clock.advance(2 * leaseMs);
    const second = await submit({ ...job, delayMs: 5_000 });
    expect(second.status).to.equal(202);
    expect(second.headers['idempotency-replayed']).to.equal('true');
    expect(second.text).to.equal(first.text);
    expect(second.headers['location']).to.equal(first.headers['location']);
    expect(served.broker.asked).to.have.length(1);
    expect(served.observed.accepted).to.have.length(1);
  });

  it('gives the first answer also when the deadline of the job has passed since', async () => {
    const expiresAt = new Date(clock.now() + 1_000).toISOString();
    const first = await submit({ ...job, expiresAt });
    await clock.advance(5_000);
    expect((await submit({ ...job, expiresAt })).text).to.equal(first.text);
    expectProblem(await submit({ ...job, expiresAt }, 'key-2'), 422, 'invalid_job');
    expect([...store.keys.keys()]).to.deep.equal([' key-1']);
  });

  it('refuses another body with the same key, also while the first is on its way', async () => {
    const confirm = createDeferred();
    served.broker.script = () => confirm.promise;
    const first = submit();
    await served.broker.untilAsked(1);
    expectProblem(await submit({ ...job, payload: 2 }), 422, 'idempotency_conflict');
    confirm.resolve();
    await first;
    expectProblem(await submit({ ...job, payload: 2 }), 422, 'idempotency_conflict');
    expect(served.broker.asked).to.have.length(1);
  });

  it('lets simultaneous twins wait for the first, in this process and in another', async () => {
    const other = await serve({ store, clock });
    const confirm = createDeferred();
    served.broker.script = () => confirm.promise;
    const first = submit();
    await served.broker.untilAsked(1);
    const twin = submit();
    const remote = other.submit(job, { 'idempotency-key': 'key-1' });
    await reserved(2);
    confirm.resolve();
    const { text } = await first;
    await clock.advance(200);
    for (const reply of await Promise.all([twin, remote])) {
      expect([reply.status, reply.text]).to.deep.equal([202, text]);
      expect(reply.headers['idempotency-replayed']).to.equal('true');
    }
    expect([served.broker.asked.length, other.broker.asked.length]).to.deep.equal([1, 0]);
    await other.close();
  });

  it('frees the key after a definite refusal', async () => {
    served.broker.script = () => Promise.reject(new Unavailable('not connected'));
    expectProblem(await submit(), 503, 'broker_unavailable');
    expect(store.keys.size).to.equal(0);
    served.broker.script = () => {};
    const again = await submit({ ...job, payload: 2 });
    expect(again.headers['idempotency-replayed']).to.equal('false');
    expectProblem(await submit({ type: 'nope', payload: 1 }, 'key-2'), 422, 'unknown_job_type');
    expect([...store.keys.keys()]).to.deep.equal([' key-1']);
  });

  it('keeps the key after a fault of our own, which says nothing of the job', async () => {
    served.broker.script = () => Promise.reject(new TypeError('a fault'));
    expectProblem(await submit(), 500, 'internal_error');
    expect(store.keys.get(' key-1')).to.include({ jobId: served.broker.asked[0]?.id, isDone: false });
  });

  it('keeps the key after an unknown outcome, and publishes the same job again after the lease', async () => {
    served.broker.script = () => Promise.reject(new OutcomeUnknown('no confirm'));
    const unknown = await submit();
    expectProblem(unknown, 503, 'broker_unavailable');
    const id = unknown.json().id;
    expect(unknown.json().detail).to.include('outcome unknown').and.include('makes no second job');
    expect(unknown.headers['retry-after']).to.equal('60');
    served.broker.script = () => {};
    await clock.advance(leaseMs);
    const again = await submit();
    expect(again.json<Accepted>().id).to.equal(id);
    expect(again.headers['idempotency-replayed']).to.equal('false');
    expect(served.broker.asked[1]).to.deep.equal(served.broker.asked[0]);
    expect(served.observed.again).to.deep.equal([id]);
    expect((await submit()).headers['idempotency-replayed']).to.equal('true');
  });

  it('does not free a key whose job was published before, whatever becomes of the second try', async () => {
    served.broker.script = () => Promise.reject(new OutcomeUnknown('no confirm'));
    const { id } = (await submit()).json();
    await clock.advance(leaseMs);
    served.broker.script = () => Promise.reject(new Unavailable('not connected'));
    const second = await submit();
    expectProblem(second, 503, 'broker_unavailable');
    expect(second.json().detail).to.include('outcome unknown');
    expect(store.keys.get(' key-1')).to.include({ jobId: id, isDone: false });
  });

  it('answers a retry within the lease with what is known, after some patience', async () => {
    const late = createDeferred();
    served.broker.script = () => Promise.reject(new OutcomeUnknown('no confirm', { stored: late.promise }));
    const { id } = (await submit()).json();
    const impatient = submit();
    await reserved(2);
    await clock.advance(20_000);
    const reply = await impatient;
    expectProblem(reply, 503, 'broker_unavailable');
    expect(reply.json().id).to.equal(id);
    const asked = store.calls['reserve'] ?? 0;
    const patient = submit();
    await reserved(asked + 1);
    late.resolve();
    await late.promise;
    await clock.advance(200);
    expect((await patient).json<Accepted>().id).to.equal(id);
    expect(served.observed.accepted).to.deep.equal([id]);
    expect(served.broker.asked).to.have.length(1);
  });

  it('is 503 while the store is away, and the job is not published', async () => {
    store.isAway = true;
    const reply = await submit();
    expectProblem(reply, 503, 'store_unavailable');
    expect(reply.headers['retry-after']).to.equal('1');
    expect(served.broker.asked).to.deep.equal([]);
  });

  it('answers 202 for a job that is in the broker, although the store has gone meanwhile', async () => {
    served.broker.script = () => {
      store.isAway = true;
    };
    expect((await submit()).status).to.equal(202);
    expect(served.logged()).to.include('could not be marked as done');
  });

  it('belongs to its API key', async () => {
    const keys = [apiKey('shop', 'sk-a', ['submit']), apiKey('desk', 'sk-b', ['submit'])];
    const guarded = await serve({ store, keys, clock });
    const ids = await Promise.all(
      ['sk-a', 'sk-b', 'sk-a'].map(async (secret) => {
        const headers = { authorization: `Bearer ${secret}`, 'idempotency-key': 'key-1' };
        return (await guarded.submit(job, headers)).json<Accepted>().id;
      }),
    );
    expect(new Set(ids).size).to.equal(2);
    expect(ids[0]).to.equal(ids[2]);
    await guarded.close();
  });

  it('is 1 to 255 visible ASCII characters', async () => {
    for (const key of ['', 'two words', 'k'.repeat(256), '\u00e4'])
      expectProblem(await submit(job, key), 400, 'invalid_request');
    expect((await submit(job, '!'.repeat(255))).status).to.equal(202);
  });

  it('is a field of each item in a batch', async () => {
    const item = (payload: number, idempotencyKey?: string): string =>
      JSON.stringify({ type: 'echo', payload, ...(idempotencyKey ? { idempotencyKey } : {}) });
    const lines = [item(1, 'a'), item(1, 'a'), item(2, 'a'), item(1, 'b'), item(1)];
    const first = (await served.submitLines(lines)).json<BatchAnswer>();
    expect(first.ids[1]).to.equal(first.ids[0]);
    expect(first.errors.map(({ index, code }) => [index, code])).to.deep.equal([[2, 'idempotency_conflict']]);
    expect(first.accepted).to.equal(4);
    const again = await served.ask({
      path: '/v1/jobs/batch',
      headers: { 'content-type': 'application/json' },
      body: `[${lines.join(',')}]`,
    });
    const second = again.json<BatchAnswer>();
    expect([second.ids[0], second.ids[3]]).to.deep.equal([first.ids[0], first.ids[3]]);
    expect(second.ids[4]).to.not.equal(first.ids[4]);
    expect(served.broker.stored).to.have.length(4);
  });

  it('keeps the ids of items whose outcome is unknown', async () => {
    served.broker.script = () => Promise.reject(new OutcomeUnknown('no confirm'));
    const line = JSON.stringify({ ...job, idempotencyKey: 'a' });
    const unknown = await served.submitLines([line]);
    expect([unknown.status, unknown.json().code]).to.deep.equal([503, 'broker_unavailable']);
    expect(unknown.json().detail).to.include('outcome unknown');
    served.broker.script = () => {};
    await clock.advance(leaseMs);
    const { ids } = (await served.submitLines([line])).json<BatchAnswer>();
    expect(ids).to.deep.equal([served.broker.asked[0]?.id]);
    expect(served.observed.again).to.deep.equal(ids);
  });
});
