/** The consuming channels that are open, what is in hand on each, and an orderly end for them. */
import type { Channel, Message } from 'amqplib';
import { type Clock, sleep } from '../../runtime/clock.js';
import { Acks } from './acks.js';

/** A channel together with whether it still carries settles, and who wants to know when it does not. */
export interface Link {
  readonly channel: Channel;
  readonly isAlive: boolean;
  readonly onLost: Set<() => void>;
  /** A message has come on it, to be settled. Told of every one, in their order. */
  took(message: Delivered): void;
  /** Acks one of these, together with others of the same moment. Lost with the channel, the ack leaves a message that comes again. */
  ack(message: Delivered): void;
  /** Writes the nack or reject of one of these. Throws when the channel is closing. */
  refuse(message: Delivered, write: (channel: Channel) => void): void;
  /** Resolves once the broker will keep what was settled so far even if the connection breaks next, or when it has broken. */
  flushed(): Promise<void>;
  /** Nothing more is wanted of it: it is closed once all that it took is settled. */
  retire(): void;
  /** Closes it, with every settle done; what is in hand comes again. Resolves when the broker has answered, or it has ended. */
  close(): Promise<unknown>;
}

/** All that is asked of a message: its tag on the channel. */
type Delivered = { readonly fields: Pick<Message['fields'], 'deliveryTag'> };

export interface Links {
  /** Follows a channel until it closes; call it in the turn in which the channel was made. */
  follow(channel: Channel): Link;
  /**
   * Closes all channels, with every settle done. Closing the connection alone loses the acks of the same turn: amqplib lets
   * the closing frame overtake them. And of a burst of acks the broker holds back some (see acks.ts), and forgets them when the
   * channel is closed: so a burst is given a moment.
   */
  close(): Promise<void>;
}

const GOODBYE_TIMEOUT_MS = 2_000;
/** So many frames of settles are under way at most: what is more is a burst. */
const UNDER_WAY = 32;
/** In which the broker gets through with what it holds back. */
const BURST_MS = 500;
/** An exchange that every broker has. To look for it asks for no permission and changes nothing. */
const ALWAYS_THERE = 'amq.direct';

export function createLinks(clock: Clock): Links {
  const links = new Set<FollowedLink>();
  return {
    follow(channel) {
      const link = new FollowedLink(channel, clock);
      links.add(link);
      channel.on('close', () => {
        links.delete(link);
        link.ended();
      });
      return link;
    },
    async close() {
      await Promise.all([...links].map((link) => briefly(clock, link.close())));
    },
  };
}

interface Burst {
  /** So many frames of settles were written. */
  note(count: number): void;
  /** Whether more of them were written lately than can be under way. */
  isOn(): boolean;
}

/** Keeps the times of the last settles, by `performance.now()`. */
function createBurst(): Burst {
  const times = new Float64Array(UNDER_WAY).fill(Number.NEGATIVE_INFINITY);
  let next = 0;
  return {
    note(count) {
      for (let noted = 0; noted < count; noted++) {
        times[next] = performance.now();
        next = (next + 1) % UNDER_WAY;
      }
    },
    isOn: () => performance.now() - (times[next] as number) < BURST_MS,
  };
}

class FollowedLink implements Link {
  readonly channel: Channel;
  readonly onLost: Set<() => void> = new Set();
  isAlive = true;
  readonly #clock: Clock;
  readonly #burst = createBurst();
  readonly #acks: Acks;
  #isAcking = false;
  #isRetired = false;
  #closing: Promise<unknown> | undefined;

  constructor(channel: Channel, clock: Clock) {
    this.channel = channel;
    this.#clock = clock;
    this.#acks = new Acks(channel);
  }

  took({ fields }: Delivered): void {
    this.#acks.took(fields.deliveryTag);
  }

  ack({ fields }: Delivered): void {
    this.#acks.acked(fields.deliveryTag);
    this.#closeWhenDone();
    if (this.#isAcking) return;
    this.#isAcking = true;
    queueMicrotask(() => {
      try {
        this.#writeAcks();
      } catch {} // The channel is closing, and its messages come again.
    });
  }

  refuse({ fields }: Delivered, write: (channel: Channel) => void): void {
    write(this.channel);
    this.#burst.note(1);
    this.#acks.refused(fields.deliveryTag);
    this.#closeWhenDone();
  }

  #writeAcks(): void {
    this.#isAcking = false;
    this.#burst.note(this.#acks.writeMultiple() + this.#acks.writeSingles());
  }

  retire(): void {
    this.#isRetired = true;
    this.#closeWhenDone();
  }

  async flushed(): Promise<void> {
    // A channel does one thing after the other: what it answers comes after what it was sent before.
    await this.#afterBurst(() => this.channel.checkExchange(ALWAYS_THERE).catch(() => {}));
  }

  /** A `close()` of the channel whose connection breaks meanwhile never settles by itself. */
  close(): Promise<unknown> {
    this.#closing ??= this.#afterBurst(() => this.channel.close());
    return this.#closing;
  }

  /** Writes what is acked, gives the broker its moment, asks, and waits for the answer; or until the channel has ended. */
  async #afterBurst(ask: () => Promise<unknown>): Promise<void> {
    let tell = (): void => {};
    const ended = new Promise<void>((resolve) => {
      tell = resolve;
    });
    this.onLost.add(tell);
    try {
      this.#writeAcks();
      if (this.#burst.isOn()) await Promise.race([sleep(this.#clock, BURST_MS), ended]);
      if (!this.isAlive) return;
      this.#writeAcks(); // Those of that moment.
      await Promise.race([ask(), ended]);
    } finally {
      this.onLost.delete(tell);
    }
  }

  ended(): void {
    this.isAlive = false;
    for (const tell of [...this.onLost]) tell();
    this.onLost.clear();
  }

  #closeWhenDone(): void {
    if (!this.#isRetired || this.#acks.inHand > 0 || !this.isAlive) return;
    this.close().catch(() => {}); // It was closed already.
  }
}

/** Waits for an answer of the broker: a closed channel rejects at once, a silent peer never answers, and neither keeps us. */
export async function briefly(clock: Clock, answer: Promise<unknown>): Promise<void> {
  const limit = new AbortController();
  await Promise.race([answer.catch(() => {}), sleep(clock, GOODBYE_TIMEOUT_MS, limit.signal)]);
  limit.abort();
}
