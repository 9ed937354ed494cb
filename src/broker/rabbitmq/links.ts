/** The consuming channels that are open, and an orderly end for them. */
import type { Channel } from 'amqplib';
import { type Clock, sleep } from '../../runtime/clock.js';

/** A channel together with whether it still carries settles, and who wants to know when it does not. */
export interface Link {
  readonly channel: Channel;
  isAlive: boolean;
  readonly onLost: Set<() => void>;
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
  const links = new Set<Link>();
  return {
    follow(channel) {
      const link: Link = { channel, isAlive: true, onLost: new Set() };
      links.add(link);
      channel.on('close', () => {
        link.isAlive = false;
        links.delete(link);
        for (const tell of [...link.onLost]) tell();
        link.onLost.clear();
      });
      return link;
    },
    async close() {
      await Promise.all(
        [...links].map((link) => briefly(clock, Promise.race([link.channel.close(), lossOf(link)]))),
      );
    },
  };
}

/** A `close()` whose connection breaks meanwhile never settles by itself. */
function lossOf(link: Link): Promise<void> {
  return new Promise((resolve) => link.onLost.add(resolve));
}

/** Waits for an answer of the broker: a closed channel rejects at once, a silent peer never answers, and neither keeps us. */
export async function briefly(clock: Clock, answer: Promise<unknown>): Promise<void> {
  const limit = new AbortController();
  await Promise.race([answer.catch(() => {}), sleep(clock, GOODBYE_TIMEOUT_MS, limit.signal)]);
  limit.abort();
}
