/** The consuming channels that are open, what is in hand on each, and an orderly end for them. */
import type { Channel } from 'amqplib';
import { type Clock, sleep } from '../../runtime/clock.js';

/** A channel together with whether it still carries settles, and who wants to know when it does not. */
export interface Link {
  readonly channel: Channel;
  readonly isAlive: boolean;
  readonly onLost: Set<() => void>;
  /** A message has come on it, to be settled. */
  took(): void;
  /** Writes the settle of one of these. Throws when the channel is closing. */
  settle(write: (channel: Channel) => void): void;
  /** Nothing more is wanted of it: it is closed once all that it took is settled. */
  retire(): void;
}

export interface Links {
  /** Follows a channel until it closes; call it in the turn in which the channel was made. */
  follow(channel: Channel): Link;
  /**
   * Closes all channels, which makes the broker answer for every settle before. Closing the connection alone loses the acks of
   * the same turn: amqplib lets the closing frame overtake them.
   */
  close(): Promise<void>;
}

const GOODBYE_TIMEOUT_MS = 2_000;

export function createLinks(clock: Clock): Links {
  const links = new Set<FollowedLink>();
  return {
    follow(channel) {
      const link = new FollowedLink(channel);
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

class FollowedLink implements Link {
  readonly channel: Channel;
  readonly onLost: Set<() => void> = new Set();
  isAlive = true;
  #unsettled = 0;
  #isRetired = false;
  #isClosing = false;

  constructor(channel: Channel) {
    this.channel = channel;
  }

  took(): void {
    this.#unsettled += 1;
  }

  settle(write: (channel: Channel) => void): void {
    write(this.channel);
    this.#unsettled -= 1;
    this.#closeWhenDone();
  }

  retire(): void {
    this.#isRetired = true;
    this.#closeWhenDone();
  }

  /** Resolves when the broker has answered. A `close()` whose connection breaks meanwhile never settles by itself. */
  close(): Promise<unknown> {
    const ended = new Promise<void>((resolve) => this.onLost.add(resolve));
    if (this.#isClosing) return ended;
    this.#isClosing = true;
    return Promise.race([this.channel.close(), ended]);
  }

  ended(): void {
    this.isAlive = false;
    for (const tell of [...this.onLost]) tell();
    this.onLost.clear();
  }

  #closeWhenDone(): void {
    if (!this.#isRetired || this.#unsettled > 0 || this.#isClosing || !this.isAlive) return;
    this.close().catch(() => {}); // It was closed already.
  }
}

/** Waits for an answer of the broker: a closed channel rejects at once, a silent peer never answers, and neither keeps us. */
export async function briefly(clock: Clock, answer: Promise<unknown>): Promise<void> {
  const limit = new AbortController();
  await Promise.race([answer.catch(() => {}), sleep(clock, GOODBYE_TIMEOUT_MS, limit.signal)]);
  limit.abort();
}
