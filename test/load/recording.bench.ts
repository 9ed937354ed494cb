/** What recording costs ingestion and drain, on RabbitMQ with PostgreSQL and on the built-in engine; and how fast a recorder is alone. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock as clock, sleep } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import { createPostgresStore } from '../../src/store/postgres.js';
import type { SqlStore } from '../../src/store/sql-store.js';
import { createSqliteStore } from '../../src/store/sqlite.js';
import type { PostgresServer } from '../support/postgres.js';
import { BATCH, laneOf, type RabbitPlan, sendBatches } from './bench-plan.js';
import { drainRate } from './bench-queue.js';
import { startBenchPostgres } from './peers.js';
import { end, launchRecorder, type RunningRole, startMeasured } from './product.js';
import { recorderRate } from './recorder-alone.js';
import { type Comparison, median, type Sample } from './report.js';
import { completed } from './scrape.js';
import { submitFor } from './submit-load.js';

const CONCURRENCY = 100;
/** Each measure begins with new processes. */
const WARM_UP_S = 3;
const GOAL = 0.8;
const ALONE_GOAL = 10_000;
const POLL_MS = 50;
const idle = { QUEUES: 'idle', WORKER_QUEUES: 'idle:1' };
const busy = { WORKER_CONCURRENCY: String(CONCURRENCY) };

interface Bench {
  readonly plan: RabbitPlan;
  readonly postgres: PostgresServer;
  /** A new, empty DATA_DIR. */
  newFolder(): Promise<string>;
}

type Measure = (isRecorded: boolean) => Promise<Sample>;

export async function benchRecording(plan: RabbitPlan): Promise<Comparison[]> {
  const folders: string[] = [];
  const postgres = await startBenchPostgres();
  const newFolder = async (): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
    folders.push(folder);
    return folder;
  };
  const bench: Bench = { plan, postgres, newFolder };
  try {
    const comparisons = [
      await compare(plan, 'RabbitMQ + PostgreSQL: POST /v1/jobs', 'requests', (isRecorded) =>
        ingestionOnRabbitmq(bench, isRecorded),
      ),
      await compare(plan, 'RabbitMQ + PostgreSQL: drain', 'jobs', (isRecorded) =>
        drainOnRabbitmq(bench, isRecorded, true),
      ),
      // Where the recorder and the database have machines of their own, they take nothing from the workers.
      await compare(plan, 'RabbitMQ: drain, the recorder at rest', 'jobs', (isRecorded) =>
        drainOnRabbitmq(bench, isRecorded, false),
      ),
      await compare(plan, 'embedded: POST /v1/jobs', 'requests', (isRecorded) =>
        ingestionEmbedded(bench, isRecorded),
      ),
      await compare(plan, 'embedded: drain', 'jobs', (isRecorded) => drainEmbedded(bench, isRecorded)),
    ];
    await benchAlone(bench);
    return comparisons;
  } finally {
    await postgres.remove();
    await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
  }
}

async function compare(plan: RabbitPlan, what: string, unit: string, measure: Measure): Promise<Comparison> {
  const samples = { with: [] as Sample[], without: [] as Sample[] };
  for (let round = 0; round < plan.rounds; round++) {
    for (const isRecorded of round % 2 === 0 ? [true, false] : [false, true])
      samples[isRecorded ? 'with' : 'without'].push(await measure(isRecorded));
    const [ours, theirs] = [samples.with[round], samples.without[round]].map((sample) =>
      Math.round(sample?.perSecond ?? 0),
    );
    plan.progress(`${what}, round ${round + 1}: recorded ${ours}/s, not recorded ${theirs}/s`);
  }
  return {
    what,
    unit,
    reference: 'without recording',
    goal: GOAL,
    ours: samples.with,
    theirs: samples.without,
  };
}

async function ingestionOnRabbitmq({ plan, postgres }: Bench, isRecorded: boolean): Promise<Sample> {
  const { place, broker } = plan;
  const settings = {
    AMQP_URL: place.amqpUrl,
    AMQP_PREFIX: place.prefix,
    DATABASE_URL: await postgres.createDatabase(),
  };
  const recorder = isRecorded ? await launchRecorder(settings) : undefined;
  const serve = await startMeasured('serve', isRecorded, settings);
  try {
    return await loaded(serve, plan.seconds);
  } finally {
    await end(serve.process);
    if (recorder !== undefined) await end(recorder.process);
    await broker.purge(laneOf(place));
    await broker.purge(`${place.prefix}.recorder`);
  }
}

async function drainOnRabbitmq(
  { plan, postgres }: Bench,
  isRecorded: boolean,
  hasRecorder: boolean,
): Promise<Sample> {
  const { place, broker } = plan;
  const settings = {
    AMQP_URL: place.amqpUrl,
    AMQP_PREFIX: place.prefix,
    DATABASE_URL: await postgres.createDatabase(),
  };
  const batches = Math.ceil(plan.jobs / BATCH);
  const recorder = isRecorded && hasRecorder ? await launchRecorder(settings) : undefined;
  const serve = await startMeasured('serve', isRecorded, settings);
  await sendBatches(serve.url, batches, 2);
  await end(serve.process);
  // What it has to record of the acceptances is no cost of the drain.
  if (recorder !== undefined) await untilRecorded(plan);
  // Watched from before the start; together, so that a start that fails ends the watching, too.
  const [sample, work] = await Promise.all([
    drainRate(() => broker.depth(laneOf(place)), batches * BATCH),
    startMeasured('work', isRecorded, { ...settings, ...busy }),
  ]);
  await end(work.process);
  if (recorder !== undefined) await end(recorder.process);
  await broker.purge(`${place.prefix}.recorder`);
  return sample;
}

/** All that is told so far; but for the few batches that a recorder has in hand. */
async function untilRecorded({ broker, place }: RabbitPlan): Promise<void> {
  while ((await broker.depth(`${place.prefix}.recorder`)) > 0) await sleep(clock, POLL_MS);
}

async function ingestionEmbedded({ plan, newFolder }: Bench, isRecorded: boolean): Promise<Sample> {
  const serve = await startMeasured('start', isRecorded, { ...idle, DATA_DIR: await newFolder() });
  try {
    return await loaded(serve, plan.seconds);
  } finally {
    await end(serve.process);
  }
}

async function drainEmbedded({ plan, newFolder }: Bench, isRecorded: boolean): Promise<Sample> {
  const settings = { DATA_DIR: await newFolder() };
  const batches = Math.ceil(plan.jobs / BATCH);
  const filling = await startMeasured('start', isRecorded, { ...idle, ...settings });
  await sendBatches(filling.url, batches, 2);
  await end(filling.process);
  const work = await startMeasured('start', isRecorded, { ...busy, ...settings });
  const held = batches * BATCH;
  const sample = await drainRate(async () => held - (await completed(work.url)), held, POLL_MS);
  await end(work.process);
  return sample;
}

async function loaded({ url }: RunningRole, seconds: number): Promise<Sample> {
  const submitting = { name: 'sluice', url };
  await submitFor({ ...submitting, seconds: WARM_UP_S });
  // The recorder, where there is one, is a part of the cost.
  return submitFor({ ...submitting, seconds });
}

async function benchAlone({ plan, postgres, newFolder }: Bench): Promise<void> {
  const log = createLog('warn');
  const stores: Readonly<Record<string, () => Promise<SqlStore>>> = {
    PostgreSQL: async () => createPostgresStore({ url: await postgres.createDatabase(), clock, log }),
    SQLite: async () =>
      createSqliteStore({
        folder: await newFolder(),
        clock,
        log,
        failed(error) {
          throw error;
        },
      }),
  };
  for (const [name, open] of Object.entries(stores)) {
    const rates: number[] = [];
    for (let round = 0; round < plan.rounds; round++) {
      const store = await open();
      await store.start();
      rates.push(await recorderRate(plan.place.amqpUrl, store, plan.jobs));
      await store.stop();
      plan.progress(
        `recorder alone on ${name}, round ${round + 1}: ${Math.round(rates.at(-1) ?? 0)} life cycles/s`,
      );
    }
    const rate = median(rates);
    const goal = `goal >= ${ALONE_GOAL}: ${rate >= ALONE_GOAL ? 'reached' : 'not reached'}`;
    plan.note(
      `a recorder alone, ${plan.jobs} full life cycles from RabbitMQ into ${name}: ${Math.round(rate)}/s (${goal})`,
    );
  }
}
