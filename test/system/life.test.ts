import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { request } from 'undici';
import type { BatchAnswer } from '../../src/api/contract.js';
import { eventually } from '../support/eventually.js';
import { type Sink, type SinkAnswer, type SinkRequest, startSink } from '../support/sink.js';
import { openStage, type Stage } from './stage.js';

const HANDLERS = fileURLToPath(new URL('fixtures/handlers.mjs', import.meta.url));

describe('the life of a job', function () {
  this.timeout(120_000);
  let stage: Stage;
  let sink: Sink;
  let answer: (request: SinkRequest) => SinkAnswer | Promise<SinkAnswer>;
  let calls: { readonly id: string; readonly attempt: string; readonly atMs: number }[];
  before(async () => {
    stage = await openStage();
    await stage.serve({ HANDLERS });
  });
  after(() => stage.close());
  beforeEach(async () => {
    calls = [];
    answer = () => ({ status: 204 });
    sink = await startSink((call) => {
      calls.push({ id: call.jobId, attempt: String(call.headers['job-attempt']), atMs: Date.now() });
      return answer(call);
    });
  });
  afterEach(async () => {
    await stage.endWork();
    await sink.close();
  });

  const push = (fields: object = {}): object => ({
    type: 'http.push',
    payload: { url: sink.url },
    ...fields,
  });

  it('a burst of single and batched jobs is delivered once each', async () => {
    const lines = Array.from({ length: 1_500 }, () => `${JSON.stringify(push())}\n`).join('');
    const batch = request(`${stage.address}/v1/jobs/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: lines,
    });
    const singles = await Promise.all(Array.from({ length: 500 }, () => stage.submit(push())));
    const { accepted, ids } = (await (await batch).body.json()) as BatchAnswer;
    expect(accepted).to.equal(1_500);
    await stage.work({ WORKER_CONCURRENCY: '50' });
    await sink.untilDistinct(2_000);
    expect(new Set(calls.map((call) => call.id))).to.deep.equal(new Set([...ids, ...singles]));
    expect(sink.total).to.equal(2_000);
  });

  it('a failing job is tried as often as it may, no sooner than its endpoint asks, and then is a dead letter', async () => {
    answer = () => ({ status: 503, headers: { 'retry-after': '1' } });
    const id = await stage.submit(push({ maxAttempts: 3 }));
    await stage.work();
    const [dead] = await stage.deadLetters(1);
    expect(dead).to.include({ id, type: 'http.push', reason: 'exhausted', attempt: 3 });
    expect(dead?.error.message).to.include('503');
    expect(JSON.parse(dead?.body ?? '')).to.deep.equal({ url: sink.url });
    expect(calls.map((call) => call.attempt)).to.deep.equal(['1', '2', '3']);
    const [first, second, third] = calls.map((call) => call.atMs) as [number, number, number];
    expect(second - first).to.be.at.least(999);
    expect(third - second).to.be.at.least(999);
  });

  it('a job that cannot succeed is a dead letter at once', async () => {
    answer = () => ({ status: 422, body: 'no such order' });
    const id = await stage.submit(push());
    await stage.work();
    const [dead] = await stage.deadLetters(1);
    expect(dead).to.include({ id, reason: 'permanent', attempt: 1 });
    expect(dead?.error.message).to.include('422').and.include('no such order');
    expect(calls).to.have.length(1);
  });

  it('a job beyond its time limit is aborted and tried again', async () => {
    answer = (call) => (call.headers['job-attempt'] === '1' ? new Promise(() => {}) : { status: 204 });
    const id = await stage.submit(push({ timeoutMs: 300 }));
    await stage.work({ RETRY_BASE_MS: '100' });
    await sink.untilDistinct(1);
    await eventually(() => calls.length >= 2);
    expect(calls.map((call) => [call.id, call.attempt])).to.deep.equal([
      [id, '1'],
      [id, '2'],
    ]);
  });

  it('a handler that is deaf to its signal, one that throws nothing, and one that returns nothing are all contained', async () => {
    const deaf = await stage.submit({ type: 'test.deaf', payload: null, timeoutMs: 200, maxAttempts: 1 });
    const throwing = await stage.submit({ type: 'test.throws', payload: null });
    await stage.submit({ type: 'test.nothing', payload: null });
    await stage.submit(push());
    await stage.work({ HANDLERS, WORKER_CONCURRENCY: '1' });
    const dead = await stage.deadLetters(2);
    expect(dead.map((letter) => letter.id)).to.have.members([deaf, throwing]);
    await sink.untilDistinct(1);
  });

  it('a delayed job comes when it is due, and an expired one not at all', async () => {
    const dueAtMs = Date.now() + 1_200;
    const delayed = await stage.submit(push({ runAt: new Date(dueAtMs).toISOString() }));
    const expired = await stage.submit(push({ expiresAt: new Date(Date.now() + 300).toISOString() }));
    const prompt = await stage.submit(push());
    await new Promise((resolve) => setTimeout(resolve, 400)); // The wall clock itself is what is tested here.
    await stage.work();
    const [dead] = await stage.deadLetters(1);
    expect(dead).to.include({ id: expired, reason: 'expired' });
    await sink.untilDistinct(2);
    expect(calls.map((call) => call.id)).to.deep.equal([prompt, delayed]);
    expect(calls[1]?.atMs).to.be.at.least(dueAtMs);
  });

  it('high goes before normal before low, and low is not starved', async () => {
    const lanes = ['low', 'normal', 'high'] as const;
    const laneOf = new Map<string, string>();
    for (let i = 0; i < 30; i++) {
      for (const priority of lanes) laneOf.set(await stage.submit(push({ priority })), priority);
    }
    await stage.work({ WORKER_CONCURRENCY: '1', WORKER_PREFETCH: '30' });
    await sink.untilDistinct(90);
    const order = calls.map((call) => laneOf.get(call.id));
    const meanOf = (lane: string): number =>
      order.reduce((sum, one, index) => sum + (one === lane ? index : 0), 0) / 30;
    expect(meanOf('high')).to.be.below(meanOf('normal'));
    expect(meanOf('normal')).to.be.below(meanOf('low'));
    expect(order.indexOf('low')).to.be.below(order.lastIndexOf('normal'));
  });

  it('a worker takes only the queues it is told to', async () => {
    const env = { QUEUES: 'mail,reports' };
    const own = await openStage({ env, queues: ['default', 'mail', 'reports'] });
    try {
      await own.serve();
      const mail = await own.submit(push({ queue: 'mail' }));
      const report = await own.submit(push({ queue: 'reports' }));
      await own.work({ WORKER_QUEUES: 'reports:2' });
      await sink.untilDistinct(1);
      expect(calls.map((call) => call.id)).to.deep.equal([report]);
      await own.work({ WORKER_QUEUES: 'mail' });
      await sink.untilDistinct(2);
      expect(calls.map((call) => call.id)).to.deep.equal([report, mail]);
    } finally {
      await own.close();
    }
  });
});
