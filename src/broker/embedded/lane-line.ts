/** The waiting line of one lane: what has been read from the file, what lies beyond, and whom it goes to. No I/O. */

/** Something that lies at a place of the lane. */
export interface Placed {
  readonly place: number;
}

export interface Taker<Item> {
  /** Most that it holds at a time. */
  readonly prefetch: number;
  held: number;
  take(item: Item): void;
}

export interface LaneLine<Item extends Placed> {
  readonly takers: readonly Taker<Item>[];
  add(taker: Taker<Item>): void;
  remove(taker: Taker<Item>): void;
  /** Jobs lie in the file that have not been read. */
  hasNews(): void;
  /** What is stored now could be handed out without a read. */
  isAtEnd(): boolean;
  /**
   * An item was stored behind the place `before`, with nothing between the two. It is at hand when the line has come that far and a taker
   * has room for it; else it is read in its turn.
   */
  wasStored(item: Item, before: number): void;
  /** Back to its place in front of all that lies behind it. */
  putBack(item: Item): void;
  /** Hands out what can be handed out, each to the next taker with room, but at most `most`: true when there may be more. */
  handOut(most: number): boolean;
  /** What to read now, or undefined: nobody has room, nothing lies there, or a read is under way already. */
  nextRead(): { readonly after: number; readonly limit: number } | undefined;
  /** Ends the read that `nextRead` began. `isCut`: more lies behind. `upTo`: the last place read, if not that of an item. */
  wasRead(items: readonly Item[], isCut: boolean, upTo?: number): void;
  /** The read failed and may be tried again. */
  readFailed(): void;
}

const LARGEST_READ = 128;
/** So many of them are let go of at once: each time means a copy of all that are at hand. */
const MOST_HANDED_OUT = 128;

/** @param start  the place before the first of this lane */
export function createLaneLine<Item extends Placed>(start: number): LaneLine<Item> {
  const takers: Taker<Item>[] = [];
  /** In the order of places; its head is at `first`. */
  let atHand: Item[] = [];
  let first = 0;
  let cursor = start;
  let isNews = true;
  let isReading = false;
  let turn = 0;

  function nextTaker(): Taker<Item> | undefined {
    for (let i = 0; i < takers.length; i++) {
      const taker = takers[(turn + i) % takers.length];
      if (taker === undefined || taker.held >= taker.prefetch) continue;
      turn = (turn + i + 1) % takers.length;
      return taker;
    }
    return undefined;
  }

  /** For how many more than are at hand. */
  function room(): number {
    const free = takers.reduce((sum, { held, prefetch }) => sum + Math.max(0, prefetch - held), 0);
    return free - (atHand.length - first);
  }

  /** What lies before `first` stays in memory until then. */
  function letGo(): void {
    atHand = atHand.slice(first);
    first = 0;
  }

  function isAtEnd(): boolean {
    return !isReading && !isNews && room() > 0;
  }

  return {
    takers,
    isAtEnd,
    add: (taker) => void takers.push(taker),
    remove(taker) {
      const at = takers.indexOf(taker);
      if (at >= 0) takers.splice(at, 1);
    },
    hasNews() {
      isNews = true;
    },
    wasStored(item, before) {
      if (isAtEnd() && before === cursor) {
        cursor = item.place;
        atHand.push(item);
      } else if (item.place > cursor) {
        isNews = true;
      }
    },
    putBack(item) {
      letGo();
      const at = atHand.findIndex((other) => other.place > item.place);
      atHand.splice(at < 0 ? atHand.length : at, 0, item);
    },
    handOut(most) {
      // Bounded, for a taker may put back what it is given before it returns.
      for (let left = Math.min(most, atHand.length - first); left > 0; left--) {
        const taker = nextTaker();
        if (taker === undefined) return false;
        const item = atHand[first] as Item;
        first += 1;
        taker.held += 1;
        taker.take(item);
      }
      const isMore = first < atHand.length;
      if (!isMore || first >= MOST_HANDED_OUT) letGo();
      return isMore;
    },
    nextRead() {
      if (isReading || !isNews) return undefined;
      const left = room();
      if (left <= 0) return undefined;
      isReading = true;
      isNews = false;
      return { after: cursor, limit: Math.min(left, LARGEST_READ) };
    },
    wasRead(items, isCut, upTo = items.at(-1)?.place) {
      isReading = false;
      isNews ||= isCut;
      cursor = upTo ?? cursor;
      if (items.length === 0) return;
      letGo();
      atHand.push(...items);
    },
    readFailed() {
      isReading = false;
      isNews = true;
    },
  };
}
