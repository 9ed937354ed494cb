/** `serve` in one process and in two, each on a port of its own, with as many connections between them. */
import { laneOf, type RabbitPlan } from './bench-plan.js';
import { end, startRole } from './product.js';
import { aligned, latency, rateAndCost, type Sample } from './report.js';
import { CONNECTIONS, submitFor } from './submit-load.js';
import { rotated } from './turns.js';

const WARM_UP_S = 2;

/** Nothing is promised of it, so it tells its figures in a note. */
export async function scaleServe(plan: RabbitPlan): Promise<void> {
  const { place, broker, rounds } = plan;
  const [first, second] = await Promise.all([startRole('serve', place), startRole('serve', place)]);
  const sides = [[first], [first, second]].map((roles) => ({ roles, samples: [] as Sample[] }));
  type Side = (typeof sides)[number];
  const measure = async ({ roles }: Side, seconds: number): Promise<Sample> => {
    const url = roles.map((role) => role.url);
    const programs = roles.map(({ process }) => process.pid);
    const sample = await submitFor({ name: `${roles.length} x serve`, url, seconds, programs });
    await broker.purge(laneOf(place));
    return sample;
  };
  try {
    for (const side of sides) await measure(side, WARM_UP_S);
    for (let round = 0; round < rounds; round++) {
      for (const side of rotated(sides, round)) side.samples.push(await measure(side, plan.seconds));
      const told = sides.map(({ samples }) => `${Math.round(samples[round]?.perSecond ?? 0)}/s`);
      plan.progress(`processes of serve, round ${round + 1}: 1 ${told[0]}, 2 ${told[1]}`);
    }
  } finally {
    await Promise.all([end(first.process), end(second.process)]);
  }
  const rows = sides.map(({ roles, samples }) => {
    const [perSecond = '', ...cost] = rateAndCost(samples);
    return [String(roles.length), perSecond, latency(samples), ...cost];
  });
  const head = ['processes of serve', 'requests/s', 'p50/p99/p99.9 ms', 'own us', 'servers us', 'MB'];
  plan.note(`POST /v1/jobs, ${CONNECTIONS} connections shared by all
${aligned([head, ...rows])}`);
}
