/** The same load over many queues, and with payloads of many sizes: taken in one by one, then drained. */
import { cleanPrefix } from '../support/prefix.js';
import { job, type RabbitPlan } from './bench-plan.js';
import { drainRate } from './bench-queue.js';
import { end, type Place, startRole } from './product.js';
import { aligned, latency, rateAndCost, type Sample } from './report.js';
import { CONNECTIONS, submitFor } from './submit-load.js';

const QUEUES = [1, 10, 100];
const PAYLOAD_BYTES = [100, 1_000, 100_000];
/** Jobs at a time, in all queues together. */
const CONCURRENCY = 100;
const WARM_UP_S = 1;
/** To ask for the depth of a hundred queues must not be felt. */
const POLL_MS = 250;

interface Shape {
  readonly name: string;
  readonly place: Place;
  /** Requests, sent in turns. */
  readonly bodies: readonly string[];
  readonly queues: readonly string[];
  readonly settings: Readonly<Record<string, string>>;
}

interface Found {
  readonly name: string;
  readonly taken: readonly Sample[];
  readonly drained: readonly Sample[];
}

export async function scaleQueues(plan: RabbitPlan): Promise<void> {
  const found: Found[] = [];
  for (const many of QUEUES) {
    const queues = Array.from({ length: many }, (_, at) => `q${at}`);
    // Of its own, so that nobody after it meets its queues.
    const place = { ...plan.place, prefix: `${plan.place.prefix}-${many}` };
    const settings = {
      QUEUES: queues.join(','),
      WORKER_QUEUES: queues.join(','),
      WORKER_CONCURRENCY: String(CONCURRENCY / many),
    };
    const bodies = queues.map((queue) => JSON.stringify({ ...job, queue }));
    try {
      found.push(await measureShape(plan, { name: String(many), place, bodies, queues, settings }));
    } finally {
      await cleanPrefix(place.amqpUrl, place.prefix, ['default', ...queues]);
    }
  }
  plan.note(toldOf('queues', found));
}

export async function scalePayloads(plan: RabbitPlan): Promise<void> {
  const found: Found[] = [];
  for (const bytes of PAYLOAD_BYTES) {
    const payload = 'x'.repeat(bytes - JSON.stringify('').length);
    const shape = {
      name: bytes.toLocaleString('en'),
      place: plan.place,
      bodies: [JSON.stringify({ type: 'echo', payload })],
      queues: ['default'],
      settings: { WORKER_CONCURRENCY: String(CONCURRENCY) },
    };
    found.push(await measureShape(plan, shape));
  }
  plan.note(toldOf('bytes of payload', found));
}

async function measureShape(plan: RabbitPlan, shape: Shape): Promise<Found> {
  const { broker, rounds, seconds } = plan;
  const { name, place, bodies, settings } = shape;
  const lanes = shape.queues.map((queue) => `${place.prefix}.jobs.${queue}.normal`);
  const depth = async (): Promise<number> => {
    let jobs = 0;
    for (const lane of lanes) jobs += await broker.depth(lane);
    return jobs;
  };
  const serve = await startRole('serve', place, settings);
  const submitting = { name: 'sluice serve', url: serve.url, bodies, programs: [serve.process.pid] };
  const taken: Sample[] = [];
  const drained: Sample[] = [];
  try {
    await submitFor({ ...submitting, seconds: WARM_UP_S });
    for (let round = 0; round < rounds; round++) {
      for (const lane of lanes) await broker.purge(lane);
      taken.push(await submitFor({ ...submitting, seconds }));
      const rate = drainRate(depth, await depth(), POLL_MS);
      const work = await startRole('work', place, settings);
      drained.push(await rate);
      await end(work.process);
      const told = [taken, drained].map((samples) => `${Math.round(samples.at(-1)?.perSecond ?? 0)}/s`);
      plan.progress(`shape ${name}, round ${round + 1}: in ${told[0]}, out ${told[1]}`);
    }
  } finally {
    await end(serve.process);
    for (const lane of lanes) await broker.purge(lane);
  }
  return { name, taken, drained };
}

function toldOf(what: string, found: readonly Found[]): string {
  const rows = found.map(({ name, taken, drained }) => {
    const [perSecond = '', ...cost] = rateAndCost(taken);
    return [name, perSecond, latency(taken), ...cost, ...rateAndCost(drained)];
  });
  const cost = ['own us', 'servers us', 'MB'];
  const head = [what, 'requests/s', 'p50/p99/p99.9 ms', ...cost, 'drained/s', ...cost];
  return `POST /v1/jobs, ${CONNECTIONS} connections, then a drain by handlers that return their payload, ${CONCURRENCY} at a time in all
${aligned([head, ...rows])}`;
}
