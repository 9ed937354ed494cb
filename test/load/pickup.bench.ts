/** How soon a job begins when nothing is in its way: from the moment its request was to leave to its handler, at a steady trickle. */
import { fileURLToPath } from 'node:url';
import { sleep, systemClock } from '../../src/runtime/clock.js';
import type { Sluice } from '../support/sluice.js';
import { laneOf, type RabbitPlan } from './bench-plan.js';
import { createLatencies, runOpenLoop } from './open-loop.js';
import { startBullmq } from './peers.js';
import { end, startRole } from './product.js';
import { type Comparison, median } from './report.js';

const PER_SECOND = 100;
const WARM_UP_S = 2;
const GOAL = 1;
const HANDLERS = fileURLToPath(new URL('pickup-handlers.mjs', import.meta.url));
/** A clock can be set back between two processes, so the time may be negative. */
const pickedUp = /^picked up after (-?[\d.e-]+) ms$/;
const POLL_MS = 10;
const STALLED_MS = 10_000;

type Percentiles = ReturnType<ReturnType<typeof createLatencies>['percentiles']>;

interface Side {
  readonly name: string;
  readonly url: string;
  readonly worker: Sluice;
  readonly found: Percentiles[];
}

/** No rates are compared, so it tells its figures in a note. */
export async function benchPickup(plan: RabbitPlan): Promise<Comparison[]> {
  const { place, broker, rounds } = plan;
  const peer = await startBullmq();
  const [serve, work, server, worker] = await Promise.all([
    startRole('serve', place, { HANDLERS }),
    startRole('work', place, { HANDLERS }),
    peer.startServer(),
    peer.startWorker(10),
  ]);
  const ours: Side = { name: 'Sluice', url: serve.url, worker: work.process, found: [] };
  const theirs: Side = { name: peer.name, url: server.url, worker, found: [] };
  try {
    for (const side of [ours, theirs]) await measure(side, WARM_UP_S);
    for (let round = 0; round < rounds; round++) {
      const sides = [ours, theirs];
      for (const side of round % 2 === 0 ? sides : sides.reverse())
        side.found.push(await measure(side, plan.seconds));
      const told = [ours, theirs].map(({ name, found }) => `${name} ${toldOf(found.slice(-1))}`);
      plan.progress(`pickup, round ${round + 1}: ${told.join('; ')}`);
    }
  } finally {
    await Promise.all([serve.process, work.process, server.process, worker].map((process) => end(process)));
    await peer.remove();
    await broker.purge(laneOf(place));
  }
  const ratio = median(
    ours.found.map(({ p50Ms }, round) => p50Ms / (theirs.found[round]?.p50Ms ?? Number.NaN)),
  );
  plan.note(
    `pickup at ${PER_SECOND} jobs/s, from the request to the handler: ${toldOf(ours.found)}; ${peer.name}: ${toldOf(theirs.found)}
  The ratio of the medians is ${ratio.toFixed(2)} (goal <= ${GOAL.toFixed(2)}: ${ratio <= GOAL ? 'reached' : 'not reached'}). Requests leave at their times, whatever became of those before.`,
  );
  return [];
}

async function measure({ name, url, worker }: Side, seconds: number): Promise<Percentiles> {
  const from = worker.stdout.length;
  const lines = (): number[] =>
    worker.stdout.slice(from).flatMap((line) => {
      const ms = pickedUp.exec(line)?.[1];
      return ms === undefined ? [] : [Number(ms)];
    });
  const load = await runOpenLoop({
    url: `${url}/v1/jobs`,
    perSecond: PER_SECOND,
    seconds,
    body: (sentAtMs) => JSON.stringify({ type: 'pickup', payload: { sentAtMs } }),
  });
  if (load.faults > 0) throw new Error(`${name}: ${load.faults} requests failed`);
  // The last was answered: what is picked up at all is so within moments.
  const untilMs = performance.now() + STALLED_MS;
  while (lines().length < load.answers) {
    if (performance.now() > untilMs)
      throw new Error(`${name}: ${load.answers - lines().length} of ${load.answers} jobs were not picked up`);
    await sleep(systemClock, POLL_MS);
  }
  const latencies = createLatencies();
  for (const ms of lines()) latencies.add(ms);
  return latencies.percentiles();
}

function toldOf(found: readonly Percentiles[]): string {
  const of = (pick: (one: Percentiles) => number): string => median(found.map(pick)).toFixed(1);
  return `p50 ${of(({ p50Ms }) => p50Ms)}, p99 ${of(({ p99Ms }) => p99Ms)}, p99.9 ${of(({ p999Ms }) => p999Ms)} ms`;
}
