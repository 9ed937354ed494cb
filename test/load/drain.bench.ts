/** `sluice work` with a no-op handler against amqplib alone, both on the very same queue with the same messages. */
import { BATCH, laneOf, type RabbitPlan, sendBatches } from './bench-plan.js';
import { drainRate } from './bench-queue.js';
import { end, startProgram, startRole } from './product.js';
import type { Comparison, Sample } from './report.js';

const CONCURRENCY = 100;

export async function benchDrain(plan: RabbitPlan): Promise<Comparison[]> {
  const { place, broker, rounds } = plan;
  const batches = Math.ceil(plan.jobs / BATCH);
  const queue = laneOf(place);
  const ours: Sample[] = [];
  const theirs: Sample[] = [];

  const fill = async (): Promise<void> => {
    const serve = await startRole('serve', place);
    await broker.purge(queue);
    await sendBatches(serve.url, batches, 2);
    await end(serve.process);
  };
  const measureOurs = async (): Promise<void> => {
    await fill();
    const rate = drainRate(() => broker.depth(queue), batches * BATCH);
    const work = await startRole('work', place, { WORKER_CONCURRENCY: String(CONCURRENCY) });
    ours.push(await rate);
    await end(work.process);
  };
  const measureTheirs = async (): Promise<void> => {
    await fill();
    const rate = drainRate(() => broker.depth(queue), batches * BATCH);
    const consumer = await startProgram('reference-consumer.ts', { AMQP_URL: place.amqpUrl, QUEUE: queue });
    theirs.push(await rate);
    await end(consumer);
  };
  for (let round = 0; round < rounds; round++) {
    const measures = [measureOurs, measureTheirs];
    for (const measure of round % 2 === 0 ? measures : measures.reverse()) await measure();
    const [we, they] = [ours, theirs].map((samples) => Math.round(samples[round]?.perSecond ?? 0));
    plan.progress(`drain, round ${round + 1}: sluice work ${we}/s, amqplib ${they}/s`);
  }
  const reference = 'amqplib, prefetch 100, JSON.parse, ack each';
  return [
    {
      what: `drain, no-op handler, concurrency ${CONCURRENCY}`,
      unit: 'jobs',
      reference,
      goal: 1,
      ours,
      theirs,
    },
  ];
}
