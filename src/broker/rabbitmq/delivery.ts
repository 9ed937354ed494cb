/** One delivery and its four ways to be settled, bound to the channel that delivered it. */
import type { Channel, Message } from 'amqplib';
import { encodeDeath, encodeHeaders } from '../../job/codec.js';
import { Lost } from '../../job/errors.js';
import type { Job } from '../../job/job.js';
import type { Death } from '../../job/outcome.js';
import type { Delivery } from '../broker.js';
import type { Link } from './links.js';
import type { Outgoing, Publisher } from './publisher.js';
import type { Names, Route } from './topology.js';

/** What a delivery needs of the broker it came from. */
export interface Settling {
  readonly names: Names;
  readonly publisher: Publisher;
  routeOf(job: Job): Route;
  /** Called after a settle was written on the link. */
  afterWrite(): void;
}

export function outgoingJob(job: Job, route: Route): Outgoing {
  const headers = encodeHeaders(job);
  return {
    route,
    body: job.body,
    properties: {
      persistent: true,
      mandatory: true,
      messageId: job.id,
      type: job.type,
      contentType: 'application/json',
      ...(headers === undefined ? {} : { headers }),
    },
  };
}

export function outgoingDead(names: Names, job: Job, death: Death): Outgoing {
  const outgoing = outgoingJob(job, { exchange: names.dead, key: `${job.queue}.${job.lane}` });
  const headers = { ...outgoing.properties.headers, ...encodeDeath(death) };
  return { ...outgoing, properties: { ...outgoing.properties, headers } };
}

const done = Promise.resolve();

export class RabbitDelivery implements Delivery {
  readonly job: Job;
  readonly lostCount: number;
  readonly #link: Link;
  readonly #message: Message;
  readonly #settling: Settling;
  /** Suspects are returned as a new message: a drain must not count against them, and their limit is low. */
  readonly #isSuspect: boolean;
  #isSettled = false;

  constructor(
    job: Job,
    lostCount: number,
    link: Link,
    message: Message,
    settling: Settling,
    isSuspect: boolean,
  ) {
    this.job = job;
    this.lostCount = lostCount;
    this.#link = link;
    this.#message = message;
    this.#settling = settling;
    this.#isSuspect = isSuspect;
  }

  get isLost(): boolean {
    return !this.#link.isAlive;
  }

  /** The broker counts what it handed out. */
  started(): void {}

  ack(): Promise<void> {
    return this.#settle((channel) => channel.ack(this.#message));
  }

  return(): Promise<void> {
    if (this.#isSuspect) {
      const address = `${this.job.queue}.${this.job.lane}`;
      return this.#replaceBy(
        outgoingJob(this.job, { exchange: this.#settling.names.suspects, key: address }),
      );
    }
    return this.#settle((channel) => channel.nack(this.#message, false, true));
  }

  retry(next: Job): Promise<void> {
    return this.#replaceBy(outgoingJob(next, this.#settling.routeOf(next)));
  }

  deadLetter(death: Death): Promise<void> {
    return this.#replaceBy(outgoingDead(this.#settling.names, this.job, death));
  }

  /** Publishes and confirms first, acks then: a crash between the two makes a duplicate, the other order a loss. */
  #replaceBy(outgoing: Outgoing): Promise<void> {
    if (this.#isSettled) return Promise.reject(this.#settledAlready());
    if (!this.#link.isAlive) return Promise.reject(this.#lost());
    const sending = this.#settling.publisher.sendPatiently(outgoing);
    return new Promise((resolve, reject) => {
      const onLost = (): void => {
        sending.withdraw();
        reject(this.#lost());
      };
      this.#link.onLost.add(onLost);
      sending.done
        .finally(() => this.#link.onLost.delete(onLost))
        .then(() => this.ack())
        .then(resolve, reject);
    });
  }

  #settle(write: (channel: Channel) => void): Promise<void> {
    if (this.#isSettled) return Promise.reject(this.#settledAlready());
    if (!this.#link.isAlive) return Promise.reject(this.#lost());
    this.#isSettled = true;
    try {
      write(this.#link.channel);
      this.#link.settled();
      this.#settling.afterWrite();
      return done;
    } catch (cause) {
      return Promise.reject(this.#lost(cause));
    }
  }

  #settledAlready(): Error {
    return new Error(`the delivery of job ${this.job.id} is settled already`);
  }

  #lost(cause?: unknown): Lost {
    return new Lost(
      `the delivery of job ${this.job.id} is gone with its channel; the broker delivers it again`,
      { cause },
    );
  }
}
