/** Reads one line of rows from the file as fast as its consumers have room, and hands them out. */
import { type Clock, sleep } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import type { Consumer } from '../broker.js';
import type { Holder } from './held.js';
import { createLaneLine, type Placed, type Taker } from './lane-line.js';

export interface Feed<Item extends Placed> {
  /** At most `prefetch` in hand at a time, until cancelled. Also before anything can be read. */
  consume(prefetch: number, hand: (item: Item, holder: Holder) => void): Consumer;
  /** Rows were added, or can be read from now on. */
  hasNews(): void;
  /** What is stored now could be handed out without a read. */
  isAtEnd(): boolean;
  /** An item was stored behind the place `before`, with nothing between the two: handed out at once where it can be, else read. */
  wasStored(item: Item, before: number): void;
  /** Handed out, and their end is not on the disk. */
  inHand(): number;
  consumers(): number;
}

export interface ReadItems<Item> {
  readonly items: readonly Item[];
  /** More lies behind the last row. */
  readonly isCut: boolean;
  /** The place of the last row, if that has not become an item. */
  readonly upTo?: number | undefined;
}

export interface FeedOptions<Item extends Placed> {
  /** The place before the first. */
  readonly start: number;
  readonly read: (after: number, limit: number) => Promise<ReadItems<Item>>;
  /** The file is open, and not yet closed. */
  readonly isUp: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

const READ_AGAIN_MS = 500;
/** Beginning more jobs at once would hold up the loop for longer than a request should wait. */
const MOST_IN_A_TURN = 32;

export function createFeed<Item extends Placed>(options: FeedOptions<Item>): Feed<Item> {
  const { isUp, clock, log } = options;
  const line = createLaneLine<Item>(options.start);
  let inHand = 0;
  let isScheduled = false;

  /** Once per turn of the loop, however many settles and publishes come in it. */
  function schedule(): void {
    if (isScheduled || line.takers.length === 0) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      pump();
    });
  }

  function pump(): void {
    if (!isUp()) return;
    if (line.handOut(MOST_IN_A_TURN)) schedule();
    const next = line.nextRead();
    if (next === undefined) return;
    options.read(next.after, next.limit).then(
      ({ items, isCut, upTo }) => {
        line.wasRead(items, isCut, upTo);
        pump();
      },
      (error: unknown) => {
        line.readFailed();
        if (!isUp()) return;
        log.error({ err: error }, 'what waits cannot be read; it is tried again');
        void sleep(clock, READ_AGAIN_MS).then(schedule);
      },
    );
  }

  /** A class, as there is one of each job. */
  class Hand implements Holder {
    readonly #taker: Taker<Item>;
    readonly #item: Item;

    constructor(taker: Taker<Item>, item: Item) {
      this.#taker = taker;
      this.#item = item;
    }

    hold(isHeld: boolean): void {
      this.#taker.held += isHeld ? 1 : -1;
      if (!isHeld) schedule();
    }

    gone(): void {
      inHand -= 1;
    }

    takeBack(): void {
      inHand -= 1;
      line.putBack(this.#item);
      schedule();
    }
  }

  return {
    consume(prefetch, hand) {
      const taker: Taker<Item> = {
        prefetch,
        held: 0,
        take(item) {
          inHand += 1;
          try {
            hand(item, new Hand(taker, item));
          } catch (error) {
            log.error({ err: error }, 'a delivery callback threw');
          }
        },
      };
      line.add(taker);
      schedule();
      return {
        async cancel() {
          line.remove(taker);
        },
      };
    },
    hasNews() {
      line.hasNews();
      schedule();
    },
    isAtEnd: line.isAtEnd,
    wasStored(item, before) {
      line.wasStored(item, before);
      const isFirst = !isScheduled;
      schedule();
      if (isFirst) pump();
    },
    inHand: () => inHand,
    consumers: () => line.takers.length,
  };
}
