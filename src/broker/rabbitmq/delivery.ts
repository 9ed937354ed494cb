/** One delivery and its four ways to be settled, bound to the channel that delivered it. */
import type { Message } from 'amqplib';
import type { Job } from '../../job/job.js';
import type { Death } from '../../job/outcome.js';
import type { Delivery } from '../broker.js';
import { HeldMessage } from './held.js';
import type { Link } from './links.js';
import { type Outgoing, outgoingDead, outgoingJob } from './outgoing.js';
import type { Publisher } from './publisher.js';
import { type Names, type Route, SUSPECT_AFTER } from './topology.js';

/** What a delivery needs of the broker it came from. */
export interface Settling {
  readonly names: Names;
  readonly publisher: Publisher;
  routeOf(job: Job): Route;
}

export class RabbitDelivery extends HeldMessage implements Delivery {
  readonly job: Job;
  readonly lostCount: number;
  readonly #settling: Settling;
  /** Suspects are returned as a new message: a drain must not count against them, and their limit is low. */
  readonly #isSuspect: boolean;

  constructor(
    job: Job,
    lostCount: number,
    link: Link,
    message: Message,
    settling: Settling,
    isSuspect: boolean,
  ) {
    super(link, message);
    this.job = job;
    this.lostCount = lostCount;
    this.#settling = settling;
    this.#isSuspect = isSuspect;
  }

  /** The broker counts what it handed out. */
  started(): void {}

  override return(): Promise<void> {
    // The broker counts a return like a loss. One more would make a suspect of it, so it begins anew, at the end of its lane.
    if (!this.#isSuspect && this.lostCount < SUSPECT_AFTER - 1) return super.return();
    const { names } = this.#settling;
    const { queue, lane } = this.job;
    const route = this.#isSuspect ? names.toSuspects(queue, lane) : names.toLane(queue, lane);
    return this.#replaceBy(outgoingJob(this.job, route));
  }

  retry(next: Job): Promise<void> {
    return this.#replaceBy(outgoingJob(next, this.#settling.routeOf(next)));
  }

  deadLetter(death: Death): Promise<void> {
    return this.#replaceBy(outgoingDead(this.#settling.names, this.job, death));
  }

  protected override name(): string {
    return `job ${this.job.id}`;
  }

  /** Publishes and confirms first, acks then: a crash between the two makes a duplicate, the other order a loss. */
  #replaceBy(outgoing: Outgoing): Promise<void> {
    const obstacle = this.obstacle();
    if (obstacle !== undefined) return Promise.reject(obstacle);
    const sending = this.#settling.publisher.sendPatiently(outgoing);
    return new Promise((resolve, reject) => {
      const onLost = (): void => {
        sending.withdraw();
        reject(this.lost());
      };
      this.link.onLost.add(onLost);
      sending.done
        .finally(() => this.link.onLost.delete(onLost))
        .then(() => this.ack())
        .then(resolve, reject);
    });
  }
}
