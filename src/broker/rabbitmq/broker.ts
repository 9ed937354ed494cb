/** The RabbitMQ engine: two connections, one to publish and one to consume, so that a blocked publisher never stops an ack. */
import type { ChannelModel } from 'amqplib';
import { Invalid } from '../../job/errors.js';
import type { Job } from '../../job/job.js';
import { type Clock, sleep } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import type { Broker, BrokerStats, Delivery, Source } from '../broker.js';
import { createConnection } from './connection.js';
import { createConsumers, type Feed } from './consumers.js';
import { createControl } from './control.js';
import { declareTopology, lacksQueue } from './declare.js';
import type { Settling } from './delivery.js';
import { createEvents } from './events.js';
import { inspect } from './inspect.js';
import { createIntake } from './intake.js';
import { createLinks } from './links.js';
import { outgoingJob } from './outgoing.js';
import { createPublisher } from './publisher.js';
import { createSuspects } from './suspects.js';
import { describeTopology, LONGEST_DELAY_MS, type Route, routeOf } from './topology.js';

export interface RabbitBrokerOptions {
  /** AMQP URLs of the nodes of one cluster. */
  readonly urls: readonly string[];
  readonly prefix: string;
  /** The closed set of queues to declare. */
  readonly queues: readonly string[];
  /** Most publishes unconfirmed at a time. */
  readonly window: number;
  readonly publishTimeoutMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Told the seconds from write to confirm of each publish. */
  readonly confirmed: (seconds: number) => void;
  /** How long nothing is published into a queue that was just made; default 2 s. */
  readonly newQueueMs?: number;
}

/**
 * RabbitMQ 3.10 writes its register of quorum queues about a second after a declaration. Killed before, a node starts such a
 * queue anew, without the messages it has confirmed: so nothing is accepted until the register is safe.
 */
export const NEW_QUEUE_MS = 2_000;
const FLUSH_TIMEOUT_MS = 5_000;
/**
 * A quorum queue that is declared again at once after its deletion keeps its old consumers on the books and delivers into
 * nothing (3.10); a moment later they have been told of the end, and subscribe anew.
 */
const REDECLARE_AFTER_MS = 1_000;
/** What somebody deleted comes back within this time even if nothing runs into the gap, as with a level that delayed jobs pass later. */
const REDECLARE_EVERY_MS = 60_000;

export function createRabbitBroker(options: RabbitBrokerOptions): Broker {
  const { prefix, clock, random, log } = options;
  const topology = describeTopology(prefix, options.queues);
  const { names } = topology;

  const publishers = {
    timeoutMs: options.publishTimeoutMs,
    clock,
    log,
    unroutable: () => void redeclare().catch(() => {}), // The connection is gone then, and the next one declares.
    channelLost(reason: string) {
      // A turn later it shows whether the channel went alone or with its connection.
      setImmediate(() => {
        if (!isPublishing()) publishing.renew(reason);
      });
    },
  };
  const publisher = createPublisher({
    ...publishers,
    window: options.window,
    confirmed: options.confirmed,
  });
  /** Beside the jobs: a full window of theirs keeps no event waiting, and events take no place in it. Their sender bounds them. */
  const eventPublisher = createPublisher({
    ...publishers,
    window: Number.POSITIVE_INFINITY,
    confirmed() {},
  });
  const isPublishing = (): boolean => publisher.isUp() && eventPublisher.isUp();
  const publishing = createConnection({
    ...options,
    name: `${prefix} publish`,
    async setUp(model) {
      await declareInTurn(model);
      await sleep(clock, safeAtMs - performance.now());
      await Promise.all([eventPublisher.attach(model), publisher.attach(model)]);
    },
    tearDown() {
      publisher.detach();
      eventPublisher.detach();
    },
    blocked(isBlocked) {
      if (publisher.isBlocked() === isBlocked) return;
      publisher.block(isBlocked);
      events.blocked(isBlocked);
    },
  });

  const settling: Settling = { names, publisher, routeOf: route };
  const intake = createIntake(settling, options.queues, clock, log);
  const links = createLinks(clock);
  const suspects = createSuspects(names, intake, links, clock, log);
  const consumers = createConsumers({ links, clock, random, log, redeclare });
  const control = createControl({ names, publisher: eventPublisher, consumers, clock, log });
  const events = createEvents({
    names,
    publisher: eventPublisher,
    consumers,
    control,
    intake,
    clock,
    log,
  });
  const consuming = createConnection({
    ...options,
    name: `${prefix} consume`,
    async setUp(model) {
      await declareInTurn(model);
      suspects.attach(model);
      await consumers.attach(model);
    },
    tearDown() {
      suspects.detach();
      consumers.detach();
    },
  });

  /** When the newest queue is safe, on the clock of `performance.now()`. */
  let safeAtMs = 0;
  let declaring: Promise<void> = Promise.resolve();
  /** One connection after the other, so that the second one sees which queues the first one has made. */
  function declareInTurn(model: ChannelModel): Promise<void> {
    const turn = declaring.then(async () => {
      const isNew = await lacksQueue(model, topology);
      await declareTopology(model, topology);
      if (isNew) safeAtMs = performance.now() + (options.newQueueMs ?? NEW_QUEUE_MS);
    });
    declaring = turn.catch(() => {}); // Said by `turn`.
    return turn;
  }

  let stopped: Promise<void> | undefined;
  let redeclaring: Promise<void> | undefined;
  function redeclare(): Promise<void> {
    redeclaring ??= sleep(clock, REDECLARE_AFTER_MS)
      .then(() => {
        const model = consuming.current();
        return model && declareInTurn(model);
      })
      .finally(() => {
        redeclaring = undefined;
      });
    return redeclaring;
  }

  let cancelUpkeep = (): void => {};
  function keepUp(): void {
    cancelUpkeep();
    cancelUpkeep = clock.after(REDECLARE_EVERY_MS, () => {
      void redeclare()
        .catch((error: Error) =>
          log.warn({ reason: error.message }, 'the topology could not be declared again'),
        )
        .then(() => stopped ?? keepUp());
    });
  }

  function route(job: Job): Route {
    return routeOf(names, job, Math.min(job.dueAtMs - clock.now(), LONGEST_DELAY_MS));
  }

  function laneFeed({ queue, lane, prefetch }: Source, deliver: (delivery: Delivery) => void): Feed {
    return {
      queue: names.lane(queue, lane),
      prefetch,
      take(message, link) {
        const delivery = intake.fromLane(message, queue, lane, link);
        if (delivery !== undefined) deliver(delivery);
      },
    };
  }

  const stats: BrokerStats = {
    get isUp() {
      return isPublishing() && consuming.current() !== undefined;
    },
    get isBlocked() {
      return publisher.isBlocked();
    },
    get reconnects() {
      return publishing.reconnects() + consuming.reconnects();
    },
    get unconfirmed() {
      return publisher.unconfirmed();
    },
    get undecodable() {
      return intake.undecodable();
    },
  };

  return {
    durability: 'quorum',
    stats,
    events: events.channel,
    async start() {
      if (stopped === undefined) keepUp();
      await Promise.all([publishing.start(), consuming.start()]);
    },
    stop() {
      cancelUpkeep();
      stopped ??= (async () => {
        const limitMs = isPublishing() && !publisher.isBlocked() ? FLUSH_TIMEOUT_MS : 0;
        await Promise.all([publisher.close(limitMs), eventPublisher.close(limitMs)]);
        suspects.detach();
        consumers.detach();
        await links.close();
        await Promise.all([publishing.stop(), consuming.stop()]);
      })();
      return stopped;
    },
    publish(job) {
      if (job.dueAtMs - clock.now() > LONGEST_DELAY_MS) {
        return Promise.reject(
          new Invalid('invalid_job', `a job can be delayed by at most ${LONGEST_DELAY_MS} ms (310 days)`),
        );
      }
      return publisher.send(outgoingJob(job, route(job)));
    },
    consume: (source, deliver) => consumers.add(laneFeed(source, deliver)),
    takeSuspect: (queues) => suspects.take(queues),
    inspect: () => inspect(consuming.current(), topology),
    health() {
      if (!isPublishing() || consuming.current() === undefined)
        return { ok: false, reason: 'no connection to the broker' };
      if (publisher.isBlocked())
        return { ok: false, reason: 'the broker takes no jobs: it is short of memory or disk' };
      if (!consumers.areLive()) return { ok: false, reason: 'a subscription is not live' };
      return { ok: true };
    },
  };
}
