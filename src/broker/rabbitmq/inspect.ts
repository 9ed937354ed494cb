/** Counts what waits, by passive declares: under a millisecond each, and as of now, unlike the management interface. */
import type { ChannelModel } from 'amqplib';
import { Unavailable } from '../../job/errors.js';
import { lanes } from '../../job/job.js';
import type { Inspection } from '../broker.js';
import { DELAY_LEVELS, type Topology } from './topology.js';

/** @throws Unavailable */
export async function inspect(model: ChannelModel | undefined, topology: Topology): Promise<Inspection> {
  if (model === undefined) throw new Unavailable('there is no connection to the broker');
  const { names, queues } = topology;
  try {
    // A channel of its own: the broker closes it when a queue is missing.
    const channel = await model.createChannel();
    channel.on('error', () => {}); // The rejected call says it.
    const laneCounts: Inspection['lanes'][number][] = [];
    const suspects: Inspection['suspects'][number][] = [];
    for (const queue of queues) {
      for (const lane of lanes) {
        const found = await channel.checkQueue(names.lane(queue, lane));
        laneCounts.push({ queue, lane, ready: found.messageCount, consumers: found.consumerCount });
      }
      suspects.push({ queue, ready: (await channel.checkQueue(names.suspectsOf(queue))).messageCount });
    }
    const deadLetters = (await channel.checkQueue(names.dead)).messageCount;
    const events = (await channel.checkQueue(names.recorder)).messageCount;
    let delayed = 0;
    for (let level = 0; level < DELAY_LEVELS; level++)
      delayed += (await channel.checkQueue(names.delayLevel(level))).messageCount;
    await channel.close();
    return { lanes: laneCounts, suspects, delayed, deadLetters, events };
  } catch (cause) {
    throw new Unavailable(`the queues cannot be counted: ${(cause as Error).message}`, { cause });
  }
}
