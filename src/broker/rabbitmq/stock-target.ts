/** The stock of RabbitMQ, taken in: every parcel is published until the broker has confirmed it, through outages and alarms. */
import { Invalid, Unavailable } from '../../job/errors.js';
import { sleep } from '../../runtime/clock.js';
import type { Parcel, StockTarget } from '../stock.js';
import { NEW_QUEUE_MS } from './broker.js';
import { createConnection } from './connection.js';
import { declareTopology, lacksQueue } from './declare.js';
import { outgoingLetter } from './letters.js';
import { type Outgoing, outgoingJob } from './outgoing.js';
import { createPublisher } from './publisher.js';
import { type RabbitStockOptions, refuseSource } from './stock-source.js';
import { describeTopology, LONGEST_DELAY_MS, routeOf } from './topology.js';

const FLUSH_TIMEOUT_MS = 5_000;
const REDECLARE_AFTER_MS = 1_000;

export interface RabbitTargetOptions extends RabbitStockOptions {
  /** As of the broker. */
  readonly newQueueMs?: number;
}

export function createRabbitTarget(options: RabbitTargetOptions): StockTarget {
  const { prefix, clock, log } = options;
  const topology = describeTopology(prefix, options.queues);
  const { names, queues } = topology;
  const hosts = options.urls.map((url) => new URL(url).host).join(', ');
  const publisher = createPublisher({
    window: Number.POSITIVE_INFINITY, // The source bounds what is in hand.
    timeoutMs: 0, // Of impatient publishes, which there are none.
    clock,
    log,
    confirmed() {},
    unroutable: () => void redeclare().catch(() => {}), // The connection is gone then, and the next one declares.
    channelLost(reason) {
      setImmediate(() => {
        if (!publisher.isUp()) connection.renew(reason);
      });
    },
  });
  const connection = createConnection({
    ...options,
    name: `${prefix} move to`,
    async setUp(model) {
      await refuseSource(model, prefix);
      const isNew = await lacksQueue(model, topology);
      await declareTopology(model, topology);
      if (isNew) await sleep(clock, options.newQueueMs ?? NEW_QUEUE_MS);
      await publisher.attach(model);
    },
    tearDown: () => publisher.detach(),
    blocked: (isBlocked) => publisher.block(isBlocked),
  });

  let redeclaring: Promise<void> | undefined;
  function redeclare(): Promise<void> {
    redeclaring ??= sleep(clock, REDECLARE_AFTER_MS)
      .then(() => {
        const model = connection.current();
        return model && declareTopology(model, topology);
      })
      .finally(() => {
        redeclaring = undefined;
      });
    return redeclaring;
  }

  /** @throws Invalid */
  function outgoing(parcel: Parcel): Outgoing {
    if (parcel.kind === 'dead') return outgoingLetter(names, parcel.letter);
    const { kind, job } = parcel;
    if (!queues.includes(job.queue)) throw new Invalid('unknown_queue', `there is no queue ${job.queue}`);
    if (kind === 'suspect') return outgoingJob(job, names.toSuspects(job.queue, job.lane));
    return outgoingJob(job, routeOf(names, job, Math.min(job.dueAtMs - clock.now(), LONGEST_DELAY_MS)));
  }

  let stopped: Promise<void> | undefined;
  return {
    async start() {
      await connection.start();
      if (!publisher.isUp())
        throw new Unavailable(
          `RabbitMQ at ${hosts} cannot be reached: start it or mend its address, then run it again`,
        );
    },
    stop() {
      stopped ??= (async () => {
        const canFlush = publisher.isUp() && !publisher.isBlocked();
        await publisher.close(canFlush ? FLUSH_TIMEOUT_MS : 0);
        await connection.stop();
      })();
      return stopped;
    },
    async put(parcel) {
      if (stopped !== undefined) throw new Unavailable('stopped');
      await publisher.sendPatiently(outgoing(parcel)).done;
    },
  };
}
