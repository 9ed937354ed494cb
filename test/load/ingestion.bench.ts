/** `POST /v1/jobs` against the same Koa route without a broker, and with a raw confirmed publish. */
import { freePort } from '../support/free-port.js';
import { job, laneOf, type RabbitPlan } from './bench-plan.js';
import { runLoad } from './http-load.js';
import { end, startProgram, startRole } from './product.js';
import type { Comparison, Sample } from './report.js';
import { startMeter } from './usage.js';

const CONNECTIONS = 64;
const WARM_UP_S = 2;

interface Side {
  readonly name: string;
  readonly pid: number;
  readonly url: string;
  readonly queue?: string;
  readonly samples: Sample[];
}

export async function benchIngestion(plan: RabbitPlan): Promise<Comparison[]> {
  const { place, broker, rounds, seconds } = plan;
  const rawQueue = `${place.prefix}.raw`;
  const ports = [await freePort(), await freePort()] as const;
  const serve = await startRole('serve', place);
  const bare = await startProgram('reference-server.ts', { PORT: String(ports[0]) });
  const raw = await startProgram('reference-server.ts', {
    PORT: String(ports[1]),
    AMQP_URL: place.amqpUrl,
    QUEUE: rawQueue,
  });
  const ours: Side = {
    name: 'sluice serve',
    pid: serve.process.pid,
    url: serve.url,
    queue: laneOf(place),
    samples: [],
  };
  const withoutBroker: Side = {
    name: 'koa alone',
    pid: bare.pid,
    url: `http://127.0.0.1:${ports[0]}`,
    samples: [],
  };
  const withPublish: Side = {
    name: 'koa + amqplib',
    pid: raw.pid,
    url: `http://127.0.0.1:${ports[1]}`,
    queue: rawQueue,
    samples: [],
  };
  const sides = [ours, withoutBroker, withPublish];

  const measure = async (side: Side, forSeconds: number): Promise<Sample> => {
    const load = {
      url: `${side.url}/v1/jobs`,
      body: JSON.stringify(job),
      connections: CONNECTIONS,
      seconds: forSeconds,
    };
    const meter = startMeter([side.pid]);
    const result = await runLoad(load);
    const usage = meter(result.answers);
    if (side.queue !== undefined) await broker.purge(side.queue);
    if (result.faults > 0) throw new Error(`${side.name}: ${result.faults} requests failed`);
    return { ...result, usage };
  };
  try {
    for (const side of sides) await measure(side, WARM_UP_S);
    for (let round = 0; round < rounds; round++) {
      for (const side of rotate(sides, round)) {
        const result = await measure(side, seconds);
        side.samples.push(result);
        plan.progress(`ingestion, round ${round + 1}: ${side.name} ${Math.round(result.perSecond)}/s`);
      }
    }
  } finally {
    await Promise.all([end(serve.process), end(bare), end(raw)]);
  }
  const common = { what: `POST /v1/jobs, ${CONNECTIONS} connections`, unit: 'requests', ours: ours.samples };
  return [
    { ...common, reference: 'Koa + router + JSON, no broker', goal: 0.7, theirs: withoutBroker.samples },
    { ...common, reference: 'the same + amqplib, confirmed', goal: 0.85, theirs: withPublish.samples },
  ];
}

/** A different one goes first in each round, so that what a round does to the machine does not always hit the same. */
function rotate<Item>(items: readonly Item[], by: number): Item[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
