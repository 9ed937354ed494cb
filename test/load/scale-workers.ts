/** `work` in one to eight processes: jobs that do nothing, which are bound by the processor, and jobs that take their time, which are not. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually.js';
import { CONCURRENCY, HANDLER_MS, perfectOf, slowDrain } from './articles.js';
import { BATCH, batchOf, job, laneOf, type RabbitPlan, sendBatches } from './bench-plan.js';
import { drainBetween } from './bench-queue.js';
import { end, type RunningRole, startRole } from './product.js';
import { aligned, type Comparison, rateAndCost, type Sample } from './report.js';

const COUNTS = [1, 2, 4, 8];
/** So long the slots are busy with jobs of 20 ms. */
const BUSY_S = 2;
/** Of the jobs of the plan. */
const NOOPS = 0.5;
const GOAL = 0.95;

interface Rig {
  readonly plan: RabbitPlan;
  readonly serve: RunningRole;
  /** All processes share it, so that a pause reaches all. */
  readonly settings: Readonly<Record<string, string>>;
}

interface Found {
  readonly workers: number;
  readonly noop: readonly Sample[];
  readonly slow: readonly Sample[];
}

export async function scaleWorkers(plan: RabbitPlan): Promise<Comparison[]> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const settings = { DATA_DIR: folder, WORKER_CONCURRENCY: String(CONCURRENCY) };
  const serve = await startRole('serve', plan.place, settings);
  const found: Found[] = [];
  try {
    for (const workers of COUNTS) found.push(await measureWorkers({ plan, serve, settings }, workers));
  } finally {
    await end(serve.process);
    await rm(folder, { recursive: true });
  }
  const rows = found.map(({ workers, noop, slow }) => [
    String(workers),
    ...rateAndCost(noop),
    ...rateAndCost(slow),
  ]);
  const cost = ['own us', 'servers us', 'MB of all'];
  const head = ['processes of work', 'no-ops/s', ...cost, `jobs of ${HANDLER_MS} ms/s`, ...cost];
  plan.note(`drain by several processes, concurrency ${CONCURRENCY} each
${aligned([head, ...rows])}`);
  return found.map(({ workers, slow }) => {
    const perfect = perfectOf(workers);
    return {
      what: slowDrain(workers),
      unit: 'jobs',
      reference: `${workers} x ${CONCURRENCY} / ${HANDLER_MS} ms`,
      goal: GOAL,
      ours: slow,
      theirs: slow.map(() => ({ perSecond: perfect })),
    };
  });
}

async function measureWorkers(rig: Rig, workers: number): Promise<Found> {
  const { plan, settings } = rig;
  const roles = await Promise.all(
    Array.from({ length: workers }, () => startRole('work', plan.place, settings)),
  );
  const programs = roles.map(({ process }) => process.pid);
  const measure = (name: string, request: object, jobs: number): Promise<Sample[]> =>
    drains(rig, `${workers} x work, ${name}`, {
      body: batchOf(request),
      batches: Math.ceil(jobs / BATCH),
      programs,
    });
  try {
    const sleeping = { type: 'sleep', payload: { ms: HANDLER_MS } };
    const slow = await measure(`${HANDLER_MS} ms`, sleeping, perfectOf(workers) * BUSY_S);
    const noop = await measure('no-op', job, plan.jobs * NOOPS);
    return { workers, noop, slow };
  } finally {
    await Promise.all(roles.map(({ process }) => end(process)));
  }
}

/** The first is not counted: it finds the code cold, and a prefetch made for other jobs. */
async function drains(rig: Rig, name: string, load: Load): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let round = 0; round <= rig.plan.rounds; round++) {
    samples.push(await drainAtOnce(rig, load));
    rig.plan.progress(`${name}, round ${round}: ${Math.round(samples.at(-1)?.perSecond ?? 0)}/s`);
  }
  return samples.slice(1);
}

interface Load {
  readonly body: string;
  readonly batches: number;
  readonly programs: readonly number[];
}

/** Filled while the queue is paused, so that all workers begin together. */
async function drainAtOnce({ plan, serve }: Rig, { body, batches, programs }: Load): Promise<Sample> {
  const { broker, place } = plan;
  const queue = laneOf(place);
  await order(serve.url, 'pause');
  await eventually(async () => (await broker.consumers(queue)) === 0);
  await sendBatches(serve.url, batches, 2, body);
  const held = batches * BATCH;
  const rate = drainBetween(() => broker.depth(queue), { from: held * 0.9, to: held * 0.1 }, { programs });
  await order(serve.url, 'resume');
  const sample = await rate;
  await eventually(async () => (await broker.depth(queue)) === 0);
  return sample;
}

async function order(url: string, what: 'pause' | 'resume'): Promise<void> {
  const response = await fetch(`${url}/v1/queues/default/${what}`, { method: 'POST' });
  if (!response.ok) throw new Error(`${what} was refused: ${await response.text()}`);
}
