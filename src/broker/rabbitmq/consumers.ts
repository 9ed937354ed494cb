/**
 * The subscriptions of this process: a channel and a consumer for each lane, made again after every loss of a connection, a
 * channel or a queue, until they are cancelled.
 */
import type { ChannelModel } from 'amqplib';
import { type Clock, sleep } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import type { Consumer, Delivery, Source } from '../broker.js';
import type { Intake } from './intake.js';
import { briefly, type Link, type Links } from './links.js';
import type { Names } from './topology.js';

export interface Consumers {
  attach(model: ChannelModel): Promise<void>;
  detach(): void;
  add(source: Source, deliver: (delivery: Delivery) => void): Promise<Consumer>;
  /** Whether every subscription is live on the broker. */
  areLive(): boolean;
}

interface Subscription {
  readonly source: Source;
  deliver(delivery: Delivery): void;
  isCancelled: boolean;
  /** Whether its cancel has resolved: nothing is delivered any more, even if the broker goes on sending. */
  isOver: boolean;
  opening?: Promise<void>;
  /** The connection on which it is being opened again. */
  reopening?: ChannelModel;
  live?: { readonly link: Link; readonly tag: string };
}

const REOPEN_BASE_MS = 100;
const REOPEN_MAX_MS = 5_000;

export interface ConsumersOptions {
  readonly names: Names;
  readonly intake: Intake;
  readonly links: Links;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Declares again what a subscription found missing. */
  readonly redeclare: () => Promise<void>;
}

export function createConsumers(options: ConsumersOptions): Consumers {
  const { names, intake, links, clock, log } = options;
  const subscriptions = new Set<Subscription>();
  let current: ChannelModel | undefined;

  /** At most once at a time for each subscription: `attach` and `add` can meet. */
  function open(subscription: Subscription, model: ChannelModel): Promise<void> {
    subscription.opening ??= subscribe(subscription, model).finally(() => {
      delete subscription.opening;
    });
    return subscription.opening;
  }

  async function subscribe(subscription: Subscription, model: ChannelModel): Promise<void> {
    const { queue, lane, prefetch } = subscription.source;
    const channel = await model.createChannel();
    const link = links.follow(channel);
    channel.on('error', (error) =>
      log.warn({ queue, lane, reason: error.message }, 'the broker closed a consuming channel'),
    );
    channel.on('handler-error', (error: Error) => log.error({ err: error }, 'a delivery callback threw'));
    channel.on('close', () => {
      if (subscription.live?.link === link) delete subscription.live;
      void reopen(subscription, model);
    });
    await channel.prefetch(prefetch);
    const { consumerTag } = await channel.consume(names.lane(queue, lane), (message) => {
      if (message === null) {
        log.warn({ queue, lane }, 'the broker ended a subscription: its queue is gone or moved');
        void channel.close().catch(() => {}); // Its 'close' opens the subscription again.
        return;
      }
      if (subscription.isOver) return; // It comes again once the channel is closed.
      const delivery = intake.fromLane(message, queue, lane, link);
      if (delivery !== undefined) subscription.deliver(delivery);
    });
    // The broker can take the subscription and close the channel in one breath.
    if (!link.isAlive) throw new Error('its channel was closed at once');
    subscription.live = { link, tag: consumerTag };
    if (subscription.isCancelled) await cancel(subscription);
  }

  /** One loop at a time: the broker's refusal ends the channel, too, so that each failure is heard of twice. */
  async function reopen(subscription: Subscription, model: ChannelModel): Promise<void> {
    if (subscription.reopening === model) return;
    subscription.reopening = model;
    await keepOpening(subscription, model);
    if (subscription.reopening === model) delete subscription.reopening;
  }

  async function keepOpening(subscription: Subscription, model: ChannelModel): Promise<void> {
    for (let failures = 0; ; failures++) {
      // One turn later: when the whole connection is gone, its owner has called `detach` by then.
      await sleep(
        clock,
        options.random() * Math.min(REOPEN_MAX_MS, REOPEN_BASE_MS * 2 ** Math.min(failures, 20)),
      );
      if (current !== model || subscription.isCancelled || subscription.live !== undefined) return;
      try {
        await options.redeclare();
        await open(subscription, model);
        return;
      } catch (error) {
        logFailure(subscription, error);
      }
    }
  }

  /** Never rejects: a lane that cannot be opened is tried again, and keeps no other from being opened. */
  async function openInTheEnd(subscription: Subscription, model: ChannelModel): Promise<void> {
    try {
      await open(subscription, model);
    } catch (error) {
      logFailure(subscription, error);
      void reopen(subscription, model);
    }
  }

  function logFailure({ source }: Subscription, error: unknown): void {
    log.warn(
      { ...source, reason: (error as Error).message },
      'a subscription could not be opened; trying again',
    );
  }

  async function cancel(subscription: Subscription): Promise<void> {
    const { live } = subscription;
    if (live === undefined || !live.link.isAlive) return;
    await briefly(clock, live.link.channel.cancel(live.tag));
  }

  return {
    async attach(model) {
      current = model;
      for (const subscription of subscriptions)
        if (subscription.live === undefined) await openInTheEnd(subscription, model);
    },
    detach() {
      current = undefined;
      for (const subscription of subscriptions) delete subscription.live;
    },
    async add(source, deliver) {
      const subscription: Subscription = { source, deliver, isCancelled: false, isOver: false };
      subscriptions.add(subscription);
      if (current !== undefined) await openInTheEnd(subscription, current);
      return {
        async cancel() {
          subscription.isCancelled = true;
          subscriptions.delete(subscription);
          if (subscription.opening !== undefined) await briefly(clock, subscription.opening);
          await cancel(subscription);
          subscription.isOver = true;
        },
      };
    },
    areLive: () => [...subscriptions].every((subscription) => subscription.live !== undefined),
  };
}
