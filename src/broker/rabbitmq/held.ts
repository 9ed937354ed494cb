/** One message in our hands and its one settle, on the channel that brought it. */
import type { Message } from 'amqplib';
import { Lost } from '../../job/errors.js';
import type { Link } from './links.js';

const done = Promise.resolve();

export class HeldMessage {
  protected readonly link: Link;
  protected isSettled = false;
  readonly #message: Message;

  constructor(link: Link, message: Message) {
    this.link = link;
    this.#message = message;
  }

  get isLost(): boolean {
    return !this.link.isAlive;
  }

  ack(): Promise<void> {
    return this.#settle(() => this.link.ack(this.#message));
  }

  return(): Promise<void> {
    return this.#settle(() =>
      this.link.refuse(this.#message, (channel) => channel.nack(this.#message, false, true)),
    );
  }

  /** What errors call it. */
  protected name(): string {
    return `message ${String(this.#message.properties.messageId)}`;
  }

  /** Why it cannot be settled, or undefined when it can. */
  protected obstacle(): Error | undefined {
    if (this.isSettled) return new Error(`the delivery of ${this.name()} is settled already`);
    return this.link.isAlive ? undefined : this.lost();
  }

  protected lost(cause?: unknown): Lost {
    return new Lost(`the delivery of ${this.name()} is gone with its channel; the broker delivers it again`, {
      cause,
    });
  }

  #settle(write: () => void): Promise<void> {
    const obstacle = this.obstacle();
    if (obstacle !== undefined) return Promise.reject(obstacle);
    this.isSettled = true;
    try {
      write();
      return done;
    } catch (cause) {
      return Promise.reject(this.lost(cause));
    }
  }
}
