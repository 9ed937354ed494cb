/** Whether Sluice holds what it promises when it is asked for more: many connections, and handlers that take their time. */
import { fileURLToPath } from 'node:url';
import { MANY_CONNECTIONS as MANY, manyConnections } from './articles.js';
import { BATCH, batchOf, laneOf, type RabbitPlan, sendBatches } from './bench-plan.js';
import { drainBetween } from './bench-queue.js';
import { end, startRole } from './product.js';
import type { Comparison, Sample } from './report.js';
import { CONNECTIONS as FEW, submitFor } from './submit-load.js';
import { rotated } from './turns.js';

const WARM_UP_S = 2;
const HANDLER_MS = 20;
/** A slot runs so many jobs while the worker's code becomes warm, then so many that count, and a few more. */
const SLOT = { warmUp: 100, counted: 150, rest: 20 };
const HANDLERS = fileURLToPath(new URL('slot-handlers.mjs', import.meta.url));
/** `sleep` stops when its signal says so. On Node 20 a signal that is looked at is dear, and the more so the shorter a job is. */
const waits = { type: 'wait', what: `${HANDLER_MS} ms handler` };
const listens = { type: 'sleep', what: `${HANDLER_MS} ms handler that listens to its signal` };

export async function benchSteady(plan: RabbitPlan): Promise<Comparison[]> {
  const comparisons = [await compareConnections(plan)];
  for (const concurrency of [10, 50, 200]) comparisons.push(await compareSlots(plan, waits, concurrency));
  comparisons.push(await compareSlots(plan, listens, 200));
  return comparisons;
}

async function compareConnections(plan: RabbitPlan): Promise<Comparison> {
  const { place, broker } = plan;
  const serve = await startRole('serve', place);
  const samples = { few: [] as Sample[], many: [] as Sample[] };
  const measure = async (connections: number, seconds: number): Promise<Sample> => {
    const { url, process } = serve;
    const programs = [process.pid];
    const sample = await submitFor({ name: 'sluice serve', url, seconds, connections, programs });
    await broker.purge(laneOf(place));
    return sample;
  };
  try {
    await measure(FEW, WARM_UP_S);
    for (let round = 0; round < plan.rounds; round++) {
      const measures = [
        async () => samples.many.push(await measure(MANY, plan.seconds)),
        async () => samples.few.push(await measure(FEW, plan.seconds)),
      ];
      for (const one of rotated(measures, round)) await one();
      const [many, few] = [samples.many, samples.few].map((all) => Math.round(all[round]?.perSecond ?? 0));
      plan.progress(
        `connections, round ${round + 1}: ${MANY} connections ${many}/s, ${FEW} connections ${few}/s`,
      );
    }
  } finally {
    await end(serve.process);
  }
  return {
    what: manyConnections,
    unit: 'requests',
    reference: `${FEW} connections`,
    goal: 0.9,
    ours: samples.many,
    theirs: samples.few,
  };
}

/** Slots that are never idle run one job each in the time of the handler. */
async function compareSlots(
  plan: RabbitPlan,
  handler: typeof waits,
  concurrency: number,
): Promise<Comparison> {
  const { place, broker, rounds } = plan;
  const perfect = (concurrency * 1000) / HANDLER_MS;
  const batches = Math.ceil((concurrency * (SLOT.warmUp + SLOT.counted + SLOT.rest)) / BATCH);
  const from = batches * BATCH - concurrency * SLOT.warmUp;
  const counted = { from, to: from - concurrency * SLOT.counted };
  const body = batchOf({ type: handler.type, payload: { ms: HANDLER_MS } });
  const ours: Sample[] = [];
  for (let round = 0; round < rounds; round++) {
    const serve = await startRole('serve', place, { HANDLERS });
    await sendBatches(serve.url, batches, 1, body);
    await end(serve.process);
    const rate = drainBetween(() => broker.depth(laneOf(place)), counted);
    const work = await startRole('work', place, { HANDLERS, WORKER_CONCURRENCY: String(concurrency) });
    ours.push(await rate);
    await end(work.process);
    plan.progress(
      `${handler.what}, concurrency ${concurrency}, round ${round + 1}: ${Math.round(ours.at(-1)?.perSecond ?? 0)}/s of ${perfect}`,
    );
  }
  return {
    what: `drain, ${handler.what}, concurrency ${concurrency}`,
    unit: 'jobs',
    reference: `${concurrency} / ${HANDLER_MS} ms`,
    goal: 0.95,
    ours,
    theirs: ours.map(() => ({ perSecond: perfect })),
  };
}
