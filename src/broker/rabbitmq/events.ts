/** Event batches to the recorder's queue and out of it, dead letters as events, and who wants to know of alarms. */
import { randomUUID } from 'node:crypto';
import type { Message } from 'amqplib';
import { Unavailable } from '../../job/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import type { BatchDelivery, EventChannel, LetterDelivery } from '../event-channel.js';
import type { DeadLetter } from '../stock.js';
import type { Consumers } from './consumers.js';
import type { Control } from './control.js';
import { HeldMessage } from './held.js';
import type { Intake } from './intake.js';
import { letterOf } from './letters.js';
import type { Link } from './links.js';
import type { Publisher } from './publisher.js';
import type { Names } from './topology.js';

export interface EventsOptions {
  readonly names: Names;
  readonly publisher: Publisher;
  readonly consumers: Consumers;
  readonly control: Control;
  readonly intake: Pick<Intake, 'rescue'>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Events {
  readonly channel: EventChannel;
  /** The broker begins or ends to hold back publishes. */
  blocked(isBlocked: boolean): void;
}

class HeldBatch extends HeldMessage implements BatchDelivery {
  readonly batch: Buffer;

  constructor(link: Link, message: Message) {
    super(link, message);
    this.batch = message.content;
  }
}

class HeldLetter extends HeldMessage implements LetterDelivery {
  readonly letter: DeadLetter;

  constructor(link: Link, message: Message, nowMs: number) {
    super(link, message);
    this.letter = letterOf(message, nowMs);
  }
}

export function createEvents(options: EventsOptions): Events {
  const { names, publisher, consumers, control, intake, clock, log } = options;
  const listeners = new Set<(isBlocked: boolean) => void>();

  return {
    channel: {
      ...control,
      publish(batch) {
        if (publisher.isClosed())
          return { done: Promise.reject(new Unavailable('shutting down')), withdraw() {} };
        return publisher.sendPatiently({
          route: { exchange: names.events, key: '' },
          body: batch,
          properties: { persistent: true, mandatory: true, messageId: randomUUID(), type: 'sluice.events' },
        });
      },
      consume: (prefetch, deliver) =>
        consumers.add({
          queue: names.recorder,
          prefetch,
          take: (message, link) => deliver(new HeldBatch(link, message)),
        }),
      consumeDead: (prefetch, deliver) =>
        consumers.add({
          queue: names.dead,
          prefetch,
          take(message, link) {
            if (intake.rescue(message, link)) return;
            deliver(new HeldLetter(link, message, clock.now()));
          },
        }),
      onBlocked(listener) {
        const told = (isBlocked: boolean): void => listener(isBlocked);
        listeners.add(told);
        return () => void listeners.delete(told);
      },
    },
    blocked(isBlocked) {
      for (const listener of [...listeners]) {
        try {
          listener(isBlocked);
        } catch (error) {
          log.error({ err: error }, 'a listener to alarms threw');
        }
      }
    },
  };
}
