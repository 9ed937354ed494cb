/** The consuming channels that are open, and an orderly end for them. */
import type { Channel } from 'amqplib';
import { type Clock, sleep } from '../../runtime/clock.js';

/** A channel together with whether it still carries settles, and who wants to know when it does not. */
export interface Link {
  readonly channel: Channel;
  isAlive: boolean;
  readonly onLost: Set<() => void>;
  /** Call it after each settle. */
  settled(): void;
}

export interface Links {
  /** Follows a channel until it closes; call it in the turn in which the channel was made. */
  follow(channel: Channel): Link;
  /**
   * Closes all channels, with every settle done. Closing the connection alone loses the acks of the same turn: amqplib lets
   * the closing frame overtake them. And of a burst of acks a quorum queue is given the first 32; the channel holds back the
   * others until those are through, and forgets them when it is closed (3.10): so a burst is given a moment.
   */
  close(): Promise<void>;
}

const GOODBYE_TIMEOUT_MS = 2_000;
/** So many settles are under way at most, the broker holds back the others. */
const UNDER_WAY = 32;
/** In which the broker gets through with what it holds back. */
const BURST_MS = 500;

export function createLinks(clock: Clock): Links {
  const links = new Map<Link, Burst>();
  return {
    follow(channel) {
      const burst = createBurst();
      const link: Link = { channel, isAlive: true, onLost: new Set(), settled: burst.note };
      links.set(link, burst);
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
        [...links].map(async ([link, burst]) => {
          if (burst.isOn()) await Promise.race([sleep(clock, BURST_MS), lossOf(link)]);
          if (link.isAlive) await briefly(clock, Promise.race([link.channel.close(), lossOf(link)]));
        }),
      );
    },
  };
}

interface Burst {
  note(): void;
  /** Whether more settles were written lately than can be under way. */
  isOn(): boolean;
}

/** Keeps the times of the last settles, by `performance.now()`. */
function createBurst(): Burst {
  const times = new Float64Array(UNDER_WAY).fill(Number.NEGATIVE_INFINITY);
  let next = 0;
  return {
    note() {
      times[next] = performance.now();
      next = (next + 1) % UNDER_WAY;
    },
    isOn: () => performance.now() - (times[next] as number) < BURST_MS,
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
