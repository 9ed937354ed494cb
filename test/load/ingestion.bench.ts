/** `POST /v1/jobs` against the same Koa route without a broker, and with a raw confirmed publish. */
import { freePort } from '../support/free-port.js';
import { laneOf, type RabbitPlan } from './bench-plan.js';
import { end, startProgram, startRole } from './product.js';
import type { Comparison, Sample } from './report.js';
import { CONNECTIONS, submitFor } from './submit-load.js';
import { rotated } from './turns.js';

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
    const { name, url, pid } = side;
    const sample = await submitFor({ name, url, seconds: forSeconds, programs: [pid] });
    if (side.queue !== undefined) await broker.purge(side.queue);
    return sample;
  };
  try {
    for (const side of sides) await measure(side, WARM_UP_S);
    for (let round = 0; round < rounds; round++) {
      for (const side of rotated(sides, round)) {
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
