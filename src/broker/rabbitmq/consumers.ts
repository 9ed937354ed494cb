/**
 * The subscriptions of this process: a channel and a consumer for each, made again after every loss of a connection, a
 * channel or a queue, until they are cancelled.
 */
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { type Clock, sleep } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import type { Consumer } from '../broker.js';
import { briefly, type Link, type Links } from './links.js';

/** What is subscribed to. */
export interface Feed {
  /** The broker queue, or how to make it on a fresh channel: then it is made anew with each subscription. */
  readonly queue: string | ((channel: Channel) => Promise<string>);
  /** Most messages unsettled at a time; undefined: each is settled by its arrival. */
  readonly prefetch: number | undefined;
  take(message: ConsumeMessage, link: Link): void;
  /** The subscription is live, the first time or again. */
  opened?(): void;
}

export interface Consumers {
  attach(model: ChannelModel): Promise<void>;
  detach(): void;
  add(feed: Feed): Promise<Consumer>;
  /** Whether every subscription is live on the broker. */
  areLive(): boolean;
}

interface Subscription {
  readonly feed: Feed;
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
  readonly links: Links;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Declares again what a subscription found missing. */
  readonly redeclare: () => Promise<void>;
}

export function createConsumers(options: ConsumersOptions): Consumers {
  const { links, clock, log } = options;
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
    const { feed } = subscription;
    const channel = await model.createChannel();
    const link = links.follow(channel);
    const about = typeof feed.queue === 'string' ? { queue: feed.queue } : {};
    channel.on('error', (error) =>
      log.warn({ ...about, reason: error.message }, 'the broker closed a consuming channel'),
    );
    channel.on('handler-error', (error: Error) => log.error({ err: error }, 'a delivery callback threw'));
    channel.on('close', () => {
      if (subscription.live?.link === link) delete subscription.live;
      if (!subscription.isCancelled) void reopen(subscription, model);
    });
    if (feed.prefetch !== undefined) await channel.prefetch(feed.prefetch);
    const queue = typeof feed.queue === 'string' ? feed.queue : await feed.queue(channel);
    const take = (message: ConsumeMessage | null): void => {
      if (message === null) {
        log.warn({ queue }, 'the broker ended a subscription: its queue is gone or moved');
        link.close().catch(() => {}); // Its 'close' opens the subscription again.
        return;
      }
      if (subscription.isOver) return; // It comes again once the channel is closed.
      if (feed.prefetch !== undefined) link.took(message);
      feed.take(message, link);
    };
    const { consumerTag } = await channel.consume(queue, take, { noAck: feed.prefetch === undefined });
    // The broker can take the subscription and close the channel in one breath.
    if (!link.isAlive) throw new Error('its channel was closed at once');
    subscription.live = { link, tag: consumerTag };
    if (subscription.isCancelled) await cancel(subscription);
    else feed.opened?.();
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

  /** Never rejects: a queue that cannot be consumed is tried again, and keeps no other from being opened. */
  async function openInTheEnd(subscription: Subscription, model: ChannelModel): Promise<void> {
    try {
      await open(subscription, model);
    } catch (error) {
      logFailure(subscription, error);
      void reopen(subscription, model);
    }
  }

  function logFailure({ feed: { queue } }: Subscription, error: unknown): void {
    log.warn(
      { ...(typeof queue === 'string' ? { queue } : {}), reason: (error as Error).message },
      'a subscription could not be opened; trying again',
    );
  }

  async function cancel(subscription: Subscription): Promise<void> {
    const { live } = subscription;
    if (live === undefined || !live.link.isAlive) return;
    await briefly(clock, live.link.channel.cancel(live.tag));
    live.link.retire();
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
    async add(feed) {
      const subscription: Subscription = { feed, isCancelled: false, isOver: false };
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
