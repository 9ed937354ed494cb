/** `/v1/queues` over a real store, with the broker's side of the counts given. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { QueueList, QueueOrdered, QueueView } from '../../src/api/queues.js';
import type { Inspection } from '../../src/broker/broker.js';
import { Unavailable } from '../../src/job/errors.js';
import { createQueues } from '../../src/operations/queues.js';
import { createLog } from '../../src/runtime/log.js';
import { createSqliteStore } from '../../src/store/sqlite.js';
import type { Store } from '../../src/store/store.js';
import { accepted, died, jobNumber, recordingOf, retried, startMs, succeeded } from '../store/rows.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { expectFits } from './support/fits.js';
import { expectProblem } from './support/problem.js';
import { apiKey, type Reply, type Served, serve } from './support/serve.js';

const log = createLog('silent');

describe('queues over HTTP', () => {
  let folder: string;
  let clock: ManualClock;
  let store: Store;
  let served: Served;
  let announced: number;
  let ready: number;
  let isAway: boolean;

  async function open(keys: Parameters<typeof serve>[0] = {}): Promise<void> {
    const queues = createQueues({
      queues: ['default', 'mail'],
      broker: {
        async inspect(): Promise<Inspection> {
          if (isAway) throw new Unavailable('there is no connection to the broker');
          const lane = (queue: string, name: 'high' | 'normal', count: number) =>
            ({ queue, lane: name, ready: count, consumers: 1 }) as const;
          const lanes = [
            lane('default', 'high', 1),
            lane('default', 'normal', ready),
            lane('mail', 'high', 0),
          ];
          return { lanes, suspects: [], deadLetters: 0, delayed: 0, events: 0 };
        },
        events: {
          announce: async () => {
            announced += 1;
          },
        },
      },
      store,
      clock,
      log,
    });
    served = await serve({ store, desk: { queues }, ...keys });
  }

  beforeEach(async () => {
    [announced, ready, isAway] = [0, 3, false];
    folder = mkdtempSync(join(tmpdir(), 'sluice-queues-'));
    clock = createManualClock(startMs + 60_000);
    store = createSqliteStore({
      folder,
      clock,
      log,
      failed(error) {
        throw error;
      },
    });
    await store.start();
    await open();
  });
  afterEach(async () => {
    await served.close();
    await store.stop();
    rmSync(folder, { recursive: true });
  });

  const ask = (method: 'GET' | 'POST' | 'PATCH', path: string, body?: unknown): Promise<Reply> =>
    served.ask({
      method,
      path,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  const view = async (name: string): Promise<QueueView> =>
    expectFits(QueueView, (await ask('GET', `/v1/queues/${name}`)).json<QueueView>());

  it('tells what waits, runs and is dead, how fast it goes, and when the backlog is gone', async () => {
    const [waiting, later, dead, done, again] = [0, 1, 2, 3, 4].map((index) => jobNumber(index));
    if (!waiting || !later || !dead || !done || !again) throw new Error('five jobs');
    const flow = { queue: 'default', bucketMs: startMs, retried: 1, dead: 1, cancelled: 0 };
    await store.records.record(
      recordingOf(
        [
          accepted(waiting),
          accepted(later, clock.now() + 1_000),
          died(dead, startMs),
          succeeded(done),
          retried(again, clock.now() + 500),
        ],
        { flow: [{ ...flow, accepted: 5, succeeded: 14 }] },
      ),
    );
    expect(await view('default')).to.deep.equal({
      name: 'default',
      depth: { high: 1, normal: 3, low: 0, total: 4 },
      scheduled: 2,
      active: 0,
      dead: 1,
      consumers: 2,
      oldestAgeMs: 60_000,
      acceptedPerSecond: 0.08,
      drainedPerSecond: 0.25,
      forecast: {
        state: 'draining',
        emptyInMs: Math.ceil((4 / (0.25 - 0.08)) * 1_000),
        emptyAt: new Date(clock.now() + Math.ceil((4 / (0.25 - 0.08)) * 1_000)).toISOString(),
      },
      isPaused: false,
      concurrency: null,
    });
    const { queues } = expectFits(QueueList, (await ask('GET', '/v1/queues')).json<QueueList>());
    expect(queues.map(({ name }) => name)).to.deep.equal(['default', 'mail']);
    expect(queues[1]).to.include({ oldestAgeMs: null, dead: 0 });
  });

  it('counts anew after a moment, not for every look', async () => {
    expect((await view('default')).depth.normal).to.equal(3);
    ready = 9;
    expect((await view('default')).depth.normal).to.equal(3);
    await clock.advance(2_000);
    expect((await view('default')).depth.normal).to.equal(9);
  });

  it('stores what is ordered, tells the workers, and shows it at once', async () => {
    const paused = await ask('POST', '/v1/queues/default/pause');
    expect([paused.status, announced]).to.deep.equal([202, 1]);
    expect(expectFits(QueueOrdered, paused.json<QueueOrdered>())).to.deep.equal({
      name: 'default',
      isPaused: true,
      concurrency: null,
      purgedThrough: null,
    });
    expect((await view('default')).forecast.state).to.equal('paused');
    await ask('PATCH', '/v1/queues/default', { concurrency: 7 });
    const purged = (await ask('POST', '/v1/queues/default/purge')).json<QueueOrdered>();
    expect(purged.purgedThrough).to.equal(new Date(clock.now()).toISOString());
    expect(await view('default')).to.include({ isPaused: true, concurrency: 7 });
    expect((await store.registers.orders()).queues).to.deep.equal([
      { queue: 'default', isPaused: true, concurrency: 7, purgedThroughMs: clock.now() },
    ]);
    await ask('POST', '/v1/queues/default/resume');
    await ask('PATCH', '/v1/queues/default', { concurrency: null });
    expect(await view('default')).to.include({ isPaused: false, concurrency: null });
    expect(announced).to.equal(5);
    expect(await view('mail')).to.include({ isPaused: false });
  });

  it('refuses what it does not know, and says what it takes', async () => {
    expectProblem(await ask('GET', '/v1/queues/nope'), 404, 'not_found');
    expectProblem(await ask('POST', '/v1/queues/nope/pause'), 404, 'not_found');
    for (const body of [
      {},
      { concurrency: 0 },
      { concurrency: 1.5 },
      { concurrency: '7' },
      { concurrency: 1, x: 1 },
      [],
    ])
      expectProblem(await ask('PATCH', '/v1/queues/default', body), 422, 'invalid_job');
    expectProblem(await ask('PATCH', '/v1/queues/default'), 415, 'unsupported_media_type');
    const wrong = await ask('POST', '/v1/queues/default');
    expectProblem(wrong, 405, 'method_not_allowed');
    expect(wrong.headers['allow']).to.include('PATCH');
    expect((await store.registers.orders()).queues).to.deep.equal([]);
  });

  it('takes no parameters and no body where they would be ignored', async () => {
    for (const path of ['/v1/queues?x=1', '/v1/queues/default?limit=1', '/v1/audit?since=1'])
      expectProblem(await ask('GET', path), 400, 'invalid_request');
    for (const order of ['pause', 'resume', 'purge']) {
      const path = `/v1/queues/default/${order}`;
      expectProblem(await ask('POST', `${path}?lane=high`), 400, 'invalid_request');
      expectProblem(await ask('POST', path, { lane: 'high' }), 422, 'invalid_job');
      expectProblem(await ask('POST', path, ['high']), 400, 'invalid_request');
    }
    expectProblem(await ask('PATCH', '/v1/queues/default?x=1', { concurrency: 1 }), 400, 'invalid_request');
    expect((await store.registers.orders()).queues).to.deep.equal([]);
    expect((await ask('POST', '/v1/queues/default/resume', {})).status).to.equal(202);
  });

  it('says so while the broker cannot be counted, and takes orders all the same', async () => {
    isAway = true;
    expectProblem(await ask('GET', '/v1/queues'), 503, 'broker_unavailable');
    expect((await ask('POST', '/v1/queues/mail/pause')).status).to.equal(202);
    isAway = false;
    expect(await view('mail')).to.include({ isPaused: true });
  });

  it('lets a key look that may only read, and order one that may operate', async () => {
    await served.close();
    await open({ keys: [apiKey('eyes', 'r', ['read']), apiKey('hands', 'o', ['operate'])] });
    const as = (secret: string, method: 'GET' | 'POST', path: string): Promise<Reply> =>
      served.ask({ method, path, headers: { authorization: `Bearer ${secret}` } });
    expect((await as('r', 'GET', '/v1/queues')).status).to.equal(200);
    expectProblem(await as('r', 'POST', '/v1/queues/default/pause'), 403, 'forbidden');
    expect((await as('o', 'POST', '/v1/queues/default/pause')).status).to.equal(202);
    expectProblem(await as('o', 'GET', '/v1/queues/default'), 403, 'forbidden');
  });
});
