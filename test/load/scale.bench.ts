/** What grows with the load, and what must not: processes, backlog, queues and payloads. */
import type { RabbitPlan } from './bench-plan.js';
import type { Comparison } from './report.js';
import { scaleBacklog } from './scale-backlog.js';
import { scaleServe } from './scale-serve.js';
import { scalePayloads, scaleQueues } from './scale-shape.js';
import { scaleWorkers } from './scale-workers.js';

/** These show what there is to see; more of so many tables would take long. */
const MOST_ROUNDS = 3;
const MOST_SECONDS = 2;

export async function benchScale(given: RabbitPlan): Promise<Comparison[]> {
  const rounds = Math.min(given.rounds, MOST_ROUNDS);
  const seconds = Math.min(given.seconds, MOST_SECONDS);
  const plan = { ...given, rounds, seconds };
  await scaleServe(plan);
  const comparisons = await scaleWorkers(plan);
  await scaleBacklog(plan);
  await scaleQueues(plan);
  await scalePayloads(plan);
  return comparisons;
}
