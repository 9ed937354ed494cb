/** Batches of 1,000 over HTTP against amqplib alone: persistent, confirmed, a window of 1,000, quorum queue. */
import { BATCH, laneOf, payload, type RabbitPlan, sendBatches } from './bench-plan.js';
import { end, startProgram, startRole } from './product.js';
import type { Comparison, Sample } from './report.js';
import { startMeter } from './usage.js';

const WARM_UP = 5;
/** As many batches on their way as keep both the server and the broker busy. */
const AT_ONCE = 2;

export async function benchBatch(plan: RabbitPlan): Promise<Comparison[]> {
  const { place, broker, rounds } = plan;
  const batches = Math.ceil(plan.jobs / BATCH);
  const rawQueue = `${place.prefix}.raw`;
  const serve = await startRole('serve', place);
  const results: Record<'single' | 'pair' | 'theirs', Sample[]> = { single: [], pair: [], theirs: [] };

  const measureOurs = async (atOnce: number): Promise<Sample> => {
    const meter = startMeter([serve.process.pid]);
    const startMs = performance.now();
    await sendBatches(serve.url, batches, atOnce);
    const perSecond = (batches * BATCH * 1000) / (performance.now() - startMs);
    const usage = meter(batches * BATCH);
    await broker.purge(laneOf(place));
    return { perSecond, usage };
  };
  const measureTheirs = async (): Promise<Sample> => {
    const publisher = await startProgram('reference-publisher.ts', {
      AMQP_URL: place.amqpUrl,
      QUEUE: rawQueue,
      BODY: JSON.stringify(payload),
      BATCHES: String(batches),
      WARM_UP: String(WARM_UP),
    });
    const tookMs = Number((await publisher.waitForLine(/^took/)).split(' ')[1]);
    await publisher.exited;
    await broker.purge(rawQueue);
    return { perSecond: (batches * BATCH * 1000) / tookMs };
  };
  try {
    await sendBatches(serve.url, WARM_UP, AT_ONCE);
    for (let round = 0; round < rounds; round++) {
      const measures = [
        async () => results.single.push(await measureOurs(1)),
        async () => results.pair.push(await measureOurs(AT_ONCE)),
        async () => results.theirs.push(await measureTheirs()),
      ];
      for (const measure of round % 2 === 0 ? measures : measures.reverse()) await measure();
      const shown = Object.values(results).map((samples) => Math.round(samples[round]?.perSecond ?? 0));
      plan.progress(
        `batch, round ${round + 1}: one at a time ${shown[0]}/s, ${AT_ONCE} at a time ${shown[1]}/s, amqplib ${shown[2]}/s`,
      );
    }
  } finally {
    await end(serve.process);
  }
  const common = { unit: 'jobs', reference: 'amqplib, window 1,000', goal: 0.7, theirs: results.theirs };
  return [
    { ...common, what: 'batches of 1,000, one at a time', ours: results.single },
    { ...common, what: `batches of 1,000, ${AT_ONCE} at a time`, ours: results.pair },
  ];
}
