/** The client against a real Sluice with handlers of its own: every call that it has. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect } from 'chai';
import {
  type BatchResult,
  createClient,
  type JobSummary,
  type QueueView,
  SluiceHttpError,
  SluiceJobFailed,
  SluiceWaitTimeout,
} from '../../src/client/client.js';
import { type Sluice, startSluice } from '../support/sluice.js';
import { failureOf } from './support/scripted.js';

const HANDLERS = fileURLToPath(new URL('fixtures/handlers.ts', import.meta.url));
const tsx = pathToFileURL(fileURLToPath(new URL('../../node_modules/tsx/dist/loader.mjs', import.meta.url)));
const running = /http:\/\/127\.0\.0\.1:\d+/;
const connect = (url: string) => createClient<typeof import('./fixtures/handlers.js')>({ url });

describe('the client of a real server', () => {
  let folder: string;
  let server: Sluice;
  let client: ReturnType<typeof connect>;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-client-'));
    const env = { DATA_DIR: folder, PORT: '0', HANDLERS, NODE_OPTIONS: `--import ${tsx.href}` };
    server = startSluice(['start'], env, { cwd: folder });
    client = connect((await server.waitForLine(running)).match(running)?.[0] ?? '');
  });
  after(async () => {
    server.kill('SIGKILL');
    await server.exited;
    rmSync(folder, { recursive: true, force: true });
  });

  /** Looks until it is as it shall be; the test's own time is the limit. */
  async function until<Value>(look: () => Promise<Value>, isSo: (value: Value) => boolean): Promise<Value> {
    for (;;) {
      const value = await look();
      if (isSo(value)) return value;
    }
  }
  const all = async <Row>(rows: AsyncIterable<Row>): Promise<Row[]> => {
    const found: Row[] = [];
    for await (const row of rows) found.push(row);
    return found;
  };

  it('submits a job, waits for its end, and has its result', async () => {
    const job = await client.submit('client.add', { numbers: [1, 2, 3] }, { priority: 'high' });
    expect(job).to.include({ type: 'client.add', queue: 'default', state: 'queued', durability: 'disk' });
    expect(await client.result(job)).to.deep.equal({ sum: 6, at: '1970-01-01T00:00:00.000Z' });
    const ended = await client.wait(job.id);
    expect(ended).to.include({ state: 'succeeded', type: 'client.add', run: 1, priority: 'high' });
    expect(await client.job(job)).to.deep.equal(ended);
  });

  it('submits once under a key, and says where another job has it', async () => {
    const options = { idempotencyKey: 'order-7', delayMs: 60_000 };
    const first = await client.submit('client.add', { numbers: [7] }, options);
    expect(await client.submit('client.add', { numbers: [7] }, options)).to.deep.equal(first);
    const other = await failureOf<SluiceHttpError>(client.submit('client.add', { numbers: [8] }, options));
    expect(other).to.be.instanceOf(SluiceHttpError);
    expect(other).to.include({ status: 422, code: 'idempotency_conflict', isOutcomeUnknown: false });
  });

  it('submits many as they come, with a result for each', async () => {
    const submitted = client.submitBatch(
      (function* () {
        for (let n = 0; n < 2500; n++) yield { type: 'client.add' as const, payload: { numbers: [n] } };
        yield { type: 'client.add' as const, payload: { numbers: ['x'] as unknown as number[] } };
      })(),
    );
    const results: BatchResult[] = await all(submitted);
    expect(results.map(({ index }) => index)).to.deep.equal(Array.from({ length: 2501 }, (_, n) => n));
    expect(results.at(-1)?.error).to.include({ code: 'invalid_payload' });
    const ids = results.slice(0, -1).map(({ id }) => id);
    expect(new Set(ids)).to.have.property('size', 2500);
    const last = await client.wait(ids.at(-1) ?? '');
    expect(last).to.deep.include({
      state: 'succeeded',
      result: { sum: 2499, at: '1970-01-01T00:00:00.000Z' },
    });
  });

  it('lists jobs page by page, narrowed by what is asked', async () => {
    const isAll = (rows: JobSummary[]): boolean => rows.length >= 2501;
    const rows = await until(() => all(client.jobs({ type: 'client.add', state: 'succeeded' })), isAll);
    expect(new Set(rows.map(({ id }) => id))).to.have.property('size', rows.length);
    const { jobs, next } = await client.jobPage({ queue: 'default' }, { limit: 3 });
    expect(jobs).to.have.length(3);
    const after = await client.jobPage({ queue: 'default' }, { limit: 3, cursor: next ?? '' });
    expect(after.jobs.map(({ id }) => id)).to.not.have.members(jobs.map(({ id }) => id));
    for await (const { id } of client.jobs()) {
      expect(id).to.be.a('string');
      break;
    }
  });

  it('cancels a job that runs, and says what stands in the way of a second time', async () => {
    const job = await client.submit('client.hang', {});
    await until(
      () => client.job(job),
      ({ state }) => state === 'active',
    );
    const late = await failureOf<SluiceWaitTimeout>(client.wait(job, { timeoutMs: 1100 }));
    expect(late).to.be.instanceOf(SluiceWaitTimeout);
    expect(late.job).to.include({ id: job.id, state: 'active' });
    expect(await client.cancel(job)).to.include({ id: job.id, run: 1 });
    expect(await client.wait(job)).to.include({ state: 'cancelled' });
    const again = await failureOf<SluiceHttpError>(client.cancel(job));
    expect(again.problem).to.include({ code: 'conflict', state: 'cancelled' });
    expect(await client.replay(job)).to.include({ run: 2 });
    await client.cancel(job);
  });

  it('stops waiting by its signal', async () => {
    const job = await client.submit('client.add', { numbers: [] }, { delayMs: 60_000 });
    const stop = new AbortController();
    const waiting = failureOf(client.wait(job, { signal: stop.signal }));
    const reason = new Error('enough');
    stop.abort(reason);
    expect(await waiting).to.equal(reason);
  });

  it('gives orders to queues', async () => {
    const names = (await client.queues.list()).map(({ name }) => name);
    expect(names).to.include.members(['default', 'slow']);
    expect(await client.queues.pause('slow')).to.include({ name: 'slow', isPaused: true });
    expect(await client.queues.setConcurrency('slow', 7)).to.include({ concurrency: 7 });
    const view: QueueView = await client.queues.get('slow');
    expect(view).to.include({ isPaused: true, concurrency: 7 });
    const job = await client.submit('client.hang', {});
    expect((await client.queues.purge('slow')).purgedThrough).to.be.a('string');
    expect(await client.queues.resume('slow')).to.include({ isPaused: false });
    expect(await client.wait(job)).to.include({ state: 'cancelled' });
    expect(await client.queues.setConcurrency('slow', null)).to.include({ concurrency: null });
    expect(await failureOf(client.queues.get('../jobs'))).to.include({ status: 404, code: 'not_found' });
  });

  it('looks at dead letters, counts and replays them, watches that, and discards them', async () => {
    const jobs = await Promise.all(['a', 'b'].map((of) => client.submit('client.die', { of })));
    const failure = await failureOf<SluiceJobFailed>(client.result(jobs[0] ?? ''));
    expect(failure).to.be.instanceOf(SluiceJobFailed);
    expect(failure.message).to.match(/is dead: DeadLetter: a$/);
    const look = () => client.deadLetters.groups({ type: 'client.die' });
    const { groups } = await until(look, ({ total }) => total === 2);
    expect(groups.map(({ example }) => example.type)).to.include('client.die');
    const dead = await all(client.deadLetters.list({ type: 'client.die' }));
    expect(dead.map(({ id }) => id)).to.have.members(jobs.map(({ id }) => id));

    const filter = { type: 'client.die' };
    expect(await client.deadLetters.replay(filter, { dryRun: true })).to.deep.equal({ id: null, matched: 2 });
    const replay = await client.deadLetters.replay(filter, { ratePerSecond: 100 });
    const views = await all(client.deadLetters.watch(replay, { everyMs: 50 }));
    expect(views.at(-1)).to.include({ id: replay.id, kind: 'replay', state: 'done', matched: 2, done: 2 });
    expect(await failureOf(client.deadLetters.stop(replay))).to.include({ status: 409 });
    await until(look, ({ total }) => total === 2);
    const discard = await client.deadLetters.discard(filter);
    await all(client.deadLetters.watch(discard.id));
    expect((await client.deadLetters.redrives()).map(({ id }) => id)).to.deep.equal([discard.id, replay.id]);
    expect(await client.deadLetters.redrive(discard)).to.include({ kind: 'discard', state: 'done', done: 2 });
    expect(await client.wait(jobs[0] ?? '')).to.include({ state: 'discarded' });
  });

  it('has the books audited', async () => {
    expect(await client.audit()).to.include({ unaccounted: 0 });
  });
});
