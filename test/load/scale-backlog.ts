/** Whether a job costs the same, and the processes hold the same, whatever else lies in the queue: each depth is drained at its top. */
import { BATCH, laneOf, type RabbitPlan, sendBatches } from './bench-plan.js';
import { drainBetween } from './bench-queue.js';
import { end, type RunningRole, startRole } from './product.js';
import { aligned, median, rateAndCost, type Sample } from './report.js';
import { startMeter } from './usage.js';

const LEAST = 1_000;
const CONCURRENCY = '100';
const SENDERS = 4;
/** So many jobs, and the heap of `serve` has found its size. */
const WARM_UP = 100_000;
const FLAT = 1.25;
/** Between two full collections of its garbage, some 400 batches apart, `serve` grows by 90 MB and falls back: it is looked at over as many. */
const LOOKS = 40;
const BATCHES_BETWEEN_LOOKS = 10;

export interface AtDepth {
  readonly backlog: number;
  /** Of `work`. */
  readonly drains: readonly Sample[];
  /** Resident memory of `serve` in MB, while the last jobs of the backlog came in, or as many into a queue that is emptied in between. */
  readonly serveMb: number;
}

/** Ten times as many each time, and at last as many as were asked for. */
export function depthsUpTo(most: number): number[] {
  const depths: number[] = [];
  for (let depth = LEAST; depth < most; depth *= 10) depths.push(depth);
  return [...depths, Math.max(most, LEAST)];
}

export async function scaleBacklog(plan: RabbitPlan): Promise<void> {
  const { place, broker, rounds } = plan;
  const queue = laneOf(place);
  const depth = (): Promise<number> => broker.depth(queue);
  const serve = await startRole('serve', place);
  const onTop = BATCH * Math.ceil(plan.jobs / BATCH / rounds);
  const found: AtDepth[] = [];
  try {
    await sendBatches(serve.url, Math.min(WARM_UP, plan.backlog) / BATCH, SENDERS);
    await broker.purge(queue);
    for (const backlog of depthsUpTo(plan.backlog)) {
      // One round more than is measured: it warms the worker up.
      const wanted = backlog + onTop * (rounds + 1);
      const missing = async (): Promise<number> => Math.ceil((wanted - (await depth())) / BATCH);
      const serveMb = await residentMbOf(serve, await missing(), () => broker.purge(queue));
      await sendBatches(serve.url, await missing(), SENDERS);
      const work = await startRole('work', place, { WORKER_CONCURRENCY: CONCURRENCY });
      const drains: Sample[] = [];
      for (let left = rounds; left > 0; left--) {
        const window = { from: backlog + onTop * left, to: backlog + onTop * (left - 1) };
        drains.push(await drainBetween(depth, window, { programs: [work.process.pid] }));
      }
      await end(work.process);
      found.push({ backlog, drains, serveMb });
      plan.progress(`backlog of ${backlog}: ${rateAndCost(drains)[0]}/s, serve holds ${mb(serveMb)} MB`);
    }
  } finally {
    await end(serve.process);
    await broker.purge(queue);
  }
  plan.note(toldOf(found));
}

/**
 * Sends what is wanted; where that is too little to show the memory, sends more and purges it.
 * @returns resident memory of `serve` in MB, the median of the looks at the end
 */
async function residentMbOf(
  { url, process }: RunningRole,
  batches: number,
  purge: () => Promise<void>,
): Promise<number> {
  const watched = LOOKS * BATCHES_BETWEEN_LOOKS;
  await sendBatches(url, Math.max(0, batches - watched), SENDERS);
  const looks: number[] = [];
  for (let look = 0; look < LOOKS; look++) {
    await sendBatches(url, BATCHES_BETWEEN_LOOKS, SENDERS);
    looks.push(startMeter([process.pid])(1)?.residentMb ?? Number.NaN);
    if (batches < watched) await purge();
  }
  return median(looks);
}

/** The table, and how flat it is. @param found  by depth, the least first */
export function toldOf(found: readonly AtDepth[]): string {
  const rows = found.map(({ backlog, drains, serveMb }) => [
    count(backlog),
    ...rateAndCost(drains),
    mb(serveMb),
  ]);
  const head = ['backlog', 'jobs/s', 'work us', 'servers us', 'work MB', 'serve MB'];
  const last = found.at(-1);
  const first = found.at(0);
  const growth = (of: (at: AtDepth) => number): string => {
    if (first === undefined || last === undefined) return '-';
    const ratio = of(last) / of(first);
    return `${ratio.toFixed(2)} (goal <= ${FLAT}: ${ratio <= FLAT ? 'reached' : 'not reached'})`;
  };
  return `drain at the top of a backlog, no-op handler, concurrency ${CONCURRENCY}
${aligned([head, ...rows])}
  From the least to the greatest: CPU of work and servers x ${growth(cpuUs)}, memory of work x ${growth(workMb)}, of serve x ${growth((at) => at.serveMb)}`;
}

function cpuUs({ drains }: AtDepth): number {
  return ofUsage(drains, ({ ownUs, serversUs }) => ownUs + serversUs);
}

function workMb({ drains }: AtDepth): number {
  return ofUsage(drains, ({ residentMb }) => residentMb);
}

function ofUsage(drains: readonly Sample[], pick: (usage: NonNullable<Sample['usage']>) => number): number {
  const values = drains.flatMap(({ usage }) => (usage === undefined ? [] : [pick(usage)]));
  return values.length === 0 ? Number.NaN : median(values);
}

function count(jobs: number): string {
  return jobs.toLocaleString('en');
}

function mb(value: number): string {
  return value.toFixed(0);
}
