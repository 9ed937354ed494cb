/**
 * The news that registers have changed: an empty message to every process. Each has a queue of its connection's own, which
 * holds one message at most, as the second says nothing that the first does not.
 */
import { randomUUID } from 'node:crypto';
import { type Clock, sleep } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import type { Consumer } from '../broker.js';
import type { EventChannel } from '../event-channel.js';
import type { Consumers, Feed } from './consumers.js';
import type { Publisher } from './publisher.js';
import type { Names } from './topology.js';

export type Control = Pick<EventChannel, 'announce' | 'onAnnouncement'>;

export interface ControlOptions {
  readonly names: Names;
  readonly publisher: Publisher;
  readonly consumers: Consumers;
  readonly clock: Clock;
  readonly log: Log;
}

/** A caller is kept no longer; the announcement goes out when the broker takes it. */
const PATIENCE_MS = 1_000;

export function createControl({ names, publisher, consumers, clock, log }: ControlOptions): Control {
  const listeners = new Set<() => void>();
  let subscribing: Promise<Consumer> | undefined;
  let underWay: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  const feed: Feed = {
    async queue(channel) {
      // A new name each time: that of a connection which the broker still takes for alive is locked.
      const { queue } = await channel.assertQueue(`${names.control}.${randomUUID()}`, {
        exclusive: true,
        autoDelete: true,
        durable: false,
        arguments: { 'x-queue-type': 'classic', 'x-max-length': 1 },
      });
      await channel.bindQueue(queue, names.control, '');
      return queue;
    },
    prefetch: undefined,
    take: tell,
    // What was announced before it was bound may have been missed.
    opened: tell,
  };

  function tell(): void {
    for (const listener of [...listeners]) {
      try {
        listener();
      } catch (error) {
        log.error({ err: error }, 'a listener to announcements threw');
      }
    }
  }

  function send(): Promise<void> {
    const { done } = publisher.sendPatiently({
      route: { exchange: names.control, key: '' },
      body: Buffer.alloc(0),
      properties: { messageId: randomUUID() },
    });
    underWay = done
      .catch(() => {}) // Stopped meanwhile.
      .finally(() => {
        underWay = undefined;
      });
    return underWay;
  }

  /** One under way and one behind it stand for all: that under way may have arrived before the change it would tell of. */
  function announced(): Promise<void> {
    if (underWay === undefined) return send();
    next ??= underWay.then(() => {
      next = undefined;
      return send();
    });
    return next;
  }

  return {
    async announce() {
      const limit = new AbortController();
      await Promise.race([announced(), sleep(clock, PATIENCE_MS, limit.signal)]);
      limit.abort();
    },
    async onAnnouncement(listener) {
      const heard = (): void => listener();
      listeners.add(heard);
      subscribing ??= consumers.add(feed);
      await subscribing;
      return () => void listeners.delete(heard);
    },
  };
}
