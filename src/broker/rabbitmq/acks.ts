/**
 * The acks of one channel in as few frames as can be: those before which nothing is in hand any more go in one, with `multiple`
 * (AMQP 0-9-1, basic.ack), all others one by one. Of one consumer, one frame is one command to its quorum queue, which gets 32
 * commands of a channel at a time; the others are held back, and forgotten when the channel is closed (3.10, 4.0).
 */
import type { Channel, Message } from 'amqplib';

export class Acks {
  readonly #channel: Pick<Channel, 'ack'>;
  /** Delivery tags, ascending. A Set, though much comes and goes: numbers keep nothing alive, and its first is looked at once a turn. */
  readonly #inHand = new Set<number>();
  /** Tags whose acks are not written. */
  #waiting: number[] = [];
  #newest = 0;
  /** Whether all deliveries were told of: one that was not might be acked with those after it. */
  #isWhole = true;

  constructor(channel: Pick<Channel, 'ack'>) {
    this.#channel = channel;
  }

  /** Of deliveries that are neither acked nor refused. */
  get inHand(): number {
    return this.#inHand.size;
  }

  /** To be told of every delivery of the channel, in their order. RabbitMQ counts them from 1. */
  took(tag: number): void {
    this.#isWhole &&= tag === this.#newest + 1;
    this.#newest = tag;
    this.#inHand.add(tag);
  }

  /** Its nack or reject is written already. */
  refused(tag: number): void {
    this.#letGo(tag);
  }

  /** Its ack is to be written. */
  acked(tag: number): void {
    this.#letGo(tag);
    this.#waiting.push(tag);
  }

  #letGo(tag: number): void {
    if (!this.#inHand.delete(tag)) this.#isWhole = false;
  }

  /** Acks those before which nothing is in hand. @returns the number of frames @throws what the channel throws, when it is closing */
  writeMultiple(): number {
    if (!this.#isWhole) return 0;
    const [oldest = Number.POSITIVE_INFINITY] = this.#inHand;
    let last = 0;
    const rest: number[] = [];
    for (const tag of this.#waiting) {
      if (tag > oldest) rest.push(tag);
      else if (tag > last) last = tag;
    }
    this.#waiting = rest;
    if (last === 0) return 0;
    this.#channel.ack(delivered(last), true);
    return 1;
  }

  /** Acks all others, one by one. @returns the number of frames @throws what the channel throws, when it is closing */
  writeSingles(): number {
    const rest = this.#waiting;
    this.#waiting = [];
    for (const tag of rest) this.#channel.ack(delivered(tag));
    return rest.length;
  }
}

/** All that the library reads of a message when it acks one. */
function delivered(deliveryTag: number): Message {
  return { fields: { deliveryTag } } as Message;
}
