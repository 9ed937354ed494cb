/** A pool on a real engine, whose settles are counted; its events go through the engine's channel, its registers are in memory. */
import type { Broker, Delivery, Source } from '../../../src/broker/broker.js';
import type { Handler } from '../../../src/handler/define.js';
import type { Job } from '../../../src/job/job.js';
import type { QueueOrder } from '../../../src/job/orders.js';
import { systemClock } from '../../../src/runtime/clock.js';
import { createPool, type PoolOptions } from '../../../src/worker/pool.js';
import { makeJob } from '../../broker/inbox.js';
import { createEventBook } from './event-book.js';
import { createMemoryLog, createMemoryObserver } from './pool-bench.js';
import { createRegisters } from './registers.js';

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Looks again at every turn of the loop. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

/** The same broker; counts what is settled. */
function counting(broker: Broker) {
  const settles = { acked: 0, returned: 0, retried: 0 };
  const watched = (delivery: Delivery): Delivery => ({
    job: delivery.job,
    lostCount: delivery.lostCount,
    get isLost() {
      return delivery.isLost;
    },
    started: () => delivery.started(),
    ack() {
      settles.acked += 1;
      return delivery.ack();
    },
    return() {
      settles.returned += 1;
      return delivery.return();
    },
    retry(next) {
      settles.retried += 1;
      return delivery.retry(next);
    },
    deadLetter: (death) => delivery.deadLetter(death),
  });
  return {
    settles,
    consume: (source: Source, deliver: (delivery: Delivery) => void) =>
      broker.consume(source, (delivery) => deliver(watched(delivery))),
    takeSuspect: (queues: readonly string[]) => broker.takeSuspect(queues),
    health: () => broker.health(),
  };
}

export async function startPoolOn(
  broker: Broker,
  handlers: readonly Handler[],
  concurrency: number,
  options: Partial<PoolOptions> = {},
) {
  const watched = counting(broker);
  const book = createEventBook((event) => broker.events.publish(Buffer.from(JSON.stringify(event))).done);
  const registers = createRegisters();
  const pool = createPool({
    broker: watched,
    registry: new Map(handlers.map((handler) => [handler.type, handler])),
    queues: [{ name: 'default', concurrency }],
    defaults: { maxAttempts: 5, timeoutMs: 60_000, backoff: { baseMs: 1, maxMs: 1 } },
    graceMs: 1000,
    log: createMemoryLog().log,
    clock: systemClock,
    random: Math.random,
    observer: createMemoryObserver().observer,
    events: book,
    resultMaxBytes: 1000,
    readOrders: () => registers.read(),
    onAnnouncement: (listener) => broker.events.onAnnouncement(listener),
    ...options,
  });
  await pool.start();
  const publish = async (fields: Partial<Job> = {}): Promise<Job> => {
    const job = makeJob({ type: 'work', ...fields });
    await broker.publish(job);
    return job;
  };
  const order = (fields: Partial<QueueOrder>) => {
    registers.queues = [{ queue: 'default', isPaused: false, ...fields }];
    return broker.events.announce();
  };
  const queue = () => {
    const [stats] = pool.stats.queues;
    if (stats === undefined) throw new Error('no queue');
    return stats;
  };
  return { broker, settles: watched.settles, pool, book, registers, publish, order, queue };
}
