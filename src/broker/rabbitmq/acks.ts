/**
 * The acks of one channel in as few frames as can be: those before which nothing is in hand any more go in one, with `multiple`
 * (AMQP 0-9-1, basic.ack), all others one by one. One frame is one command to a quorum queue. It gets 32 commands of a channel at a
 * time; the others are held back, and forgotten when the channel is closed (3.10, 4.0).
 */
import type { Channel, Message } from 'amqplib';

export class Acks {
  readonly #channel: Pick<Channel, 'ack'>;
  /** Delivery tags, ascending. */
  readonly #inHand = new Set<number>();
  /** Tags whose acks are not written. */
  #waiting: number[] = [];
  #newest = 0;
  /** A delivery that nobody spoke of might be acked with those after it. */
  #isGapless = true;

  constructor(channel: Pick<Channel, 'ack'>) {
    this.#channel = channel;
  }

  /** Of deliveries that are neither acked nor settled otherwise. */
  get inHand(): number {
    return this.#inHand.size;
  }

  /** To be told of every delivery of the channel, in their order. Tags count from 1 (AMQP 0-9-1, 1.1: delivery-tag). */
  took(tag: number): void {
    this.#isGapless &&= tag === this.#newest + 1;
    this.#newest = tag;
    this.#inHand.add(tag);
  }

  /** It is settled in another way, by what is written already. */
  settled(tag: number): void {
    this.#inHand.delete(tag);
  }

  /** Its ack is to be written. */
  add(tag: number): void {
    this.#inHand.delete(tag);
    this.#waiting.push(tag);
  }

  /** Acks those before which nothing is in hand. @returns the number of frames @throws what the channel throws, when it is closing */
  writeRun(): number {
    const [oldest = Number.POSITIVE_INFINITY] = this.#inHand;
    let last = 0;
    const rest: number[] = [];
    for (const tag of this.#waiting) {
      if (!this.#isGapless || tag > oldest) rest.push(tag);
      else if (tag > last) last = tag;
    }
    this.#waiting = rest;
    if (last === 0) return 0;
    this.#channel.ack(delivered(last), true);
    return 1;
  }

  /** Acks all others, one by one. @returns the number of frames @throws what the channel throws, when it is closing */
  writeRest(): number {
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
