/** What traces cost at 1 percent: `sluice serve` and `sluice work` with `sluice/tracing` loaded, and the same without. */
import { startCollector } from '../support/otlp.js';
import { BATCH, job, laneOf, type RabbitPlan, sendBatches } from './bench-plan.js';
import { drainRate } from './bench-queue.js';
import { type LoadResult, runLoad } from './http-load.js';
import { end, startRole } from './product.js';
import type { Comparison, Sample } from './report.js';

const CONNECTIONS = 64;
const WARM_UP_S = 2;
const CONCURRENCY = '100';
const SHARE = '0.01';
/** A measure of our own: who wants one trace of a hundred shall not pay for it with more than one request of twenty. */
const GOAL = 0.95;

type Settings = Readonly<Record<string, string>>;

export async function benchTracing(plan: RabbitPlan): Promise<Comparison[]> {
  const collector = await startCollector();
  const traced: Settings = {
    NODE_OPTIONS: '--import sluice/tracing',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: SHARE,
  };
  try {
    const comparisons = [await compareIngestion(plan, traced), await compareDrain(plan, traced)];
    plan.note(`The collector got ${collector.spans.length} spans.`);
    return comparisons;
  } finally {
    await collector.close();
  }
}

async function compareIngestion(plan: RabbitPlan, traced: Settings): Promise<Comparison> {
  const { place, broker, rounds, seconds } = plan;
  const withTraces = { role: await startRole('serve', place, traced), samples: [] as LoadResult[] };
  const without = { role: await startRole('serve', place), samples: [] as LoadResult[] };
  const measure = async (url: string, forSeconds: number): Promise<LoadResult> => {
    const load = { url: `${url}/v1/jobs`, bodies: [JSON.stringify(job)], connections: CONNECTIONS };
    const result = await runLoad({ ...load, seconds: forSeconds });
    await broker.purge(laneOf(place));
    if (result.faults > 0) throw new Error(`${result.faults} requests failed`);
    return result;
  };
  try {
    for (const { role } of [withTraces, without]) await measure(role.url, WARM_UP_S);
    for (let round = 0; round < rounds; round++) {
      const sides = [withTraces, without];
      for (const { role, samples } of round % 2 === 0 ? sides : sides.reverse())
        samples.push(await measure(role.url, seconds));
      plan.progress(`traces at ingestion, round ${round + 1} ${said(withTraces.samples, without.samples)}`);
    }
  } finally {
    await Promise.all([end(withTraces.role.process), end(without.role.process)]);
  }
  return {
    what: `POST /v1/jobs, ${CONNECTIONS} connections, traces of 1 %`,
    unit: 'requests',
    reference: 'the same without traces',
    goal: GOAL,
    ours: withTraces.samples,
    theirs: without.samples,
  };
}

async function compareDrain(plan: RabbitPlan, traced: Settings): Promise<Comparison> {
  const { place, broker, rounds } = plan;
  const batches = Math.ceil(plan.jobs / BATCH);
  const queue = laneOf(place);

  async function measure(settings: Settings): Promise<Sample> {
    const serve = await startRole('serve', place, settings);
    await broker.purge(queue);
    await sendBatches(serve.url, batches, 2);
    await end(serve.process);
    const rate = drainRate(() => broker.depth(queue), batches * BATCH);
    const work = await startRole('work', place, { ...settings, WORKER_CONCURRENCY: CONCURRENCY });
    const sample = await rate;
    await end(work.process);
    return sample;
  }

  const withTraces: Sample[] = [];
  const without: Sample[] = [];
  for (let round = 0; round < rounds; round++) {
    const measures = [
      async () => void withTraces.push(await measure(traced)),
      async () => void without.push(await measure({})),
    ];
    for (const one of round % 2 === 0 ? measures : measures.reverse()) await one();
    plan.progress(`traces at drain, round ${round + 1} ${said(withTraces, without)}`);
  }
  return {
    what: `drain, no-op handler, concurrency ${CONCURRENCY}, traces of 1 %`,
    unit: 'jobs',
    reference: 'the same without traces',
    goal: GOAL,
    ours: withTraces,
    theirs: without,
  };
}

function said(ours: readonly Sample[], theirs: readonly Sample[]): string {
  const [we, they] = [ours, theirs].map((samples) => Math.round(samples.at(-1)?.perSecond ?? 0));
  return `${we}/s, without ${they}/s`;
}
