/** The bench's own look at the broker: queues are emptied between rounds, and watched while they drain. */
import amqp, { type Channel } from 'amqplib';
import { sleep, systemClock } from '../../src/runtime/clock.js';
import type { Sample } from './report.js';
import { startMeter } from './usage.js';

export interface BenchBroker {
  /** Who takes from it. */
  consumers(queue: string): Promise<number>;
  purge(queue: string): Promise<void>;
  /** Ready messages. */
  depth(queue: string): Promise<number>;
  remove(queue: string): Promise<void>;
  close(): Promise<void>;
}

export async function connectBench(url: string): Promise<BenchBroker> {
  const connection = await amqp.connect(url, { noDelay: true });
  const channel: Channel = await connection.createChannel();

  /** A quorum queue whose leader does not answer within 250 ms is told as empty (`rabbit_quorum_queue:stat`): one 0 is not believed. */
  async function depth(queue: string): Promise<number> {
    const { messageCount } = await channel.checkQueue(queue);
    return messageCount > 0 ? messageCount : (await channel.checkQueue(queue)).messageCount;
  }

  return {
    consumers: async (queue) => (await channel.checkQueue(queue)).consumerCount,
    purge: async (queue) => void (await channel.purgeQueue(queue)),
    depth,
    remove: async (queue) => void (await channel.deleteQueue(queue)),
    close: () => connection.close(),
  };
}

const POLL_MS = 10;

/**
 * Messages per second, and what each costs, between 90 % and 10 % of what the queue held: the start of the consumer and the last prefetched
 * ones are left out, for every consumer alike.
 * @param readDepth  how many are left
 */
export async function drainRate(
  readDepth: () => Promise<number>,
  held: number,
  pollMs = POLL_MS,
): Promise<Sample> {
  return drainBetween(readDepth, { from: held * 0.9, to: held * 0.1 }, { pollMs });
}

/** The same between two depths. @param programs  as of `startMeter` */
export async function drainBetween(
  readDepth: () => Promise<number>,
  { from, to }: { readonly from: number; readonly to: number },
  { pollMs = POLL_MS, programs }: { readonly pollMs?: number; readonly programs?: readonly number[] } = {},
): Promise<Sample> {
  let begun:
    | { readonly atMs: number; readonly depth: number; readonly meter: ReturnType<typeof startMeter> }
    | undefined;
  for (;;) {
    const depth = await readDepth();
    const atMs = performance.now();
    if (begun !== undefined && depth <= to) {
      const drained = begun.depth - depth;
      return { perSecond: (drained * 1000) / (atMs - begun.atMs), usage: begun.meter(drained) };
    }
    if (begun === undefined && depth <= from) begun = { atMs, depth, meter: startMeter(programs) };
    await sleep(systemClock, pollMs);
  }
}
