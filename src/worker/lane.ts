/** Which waiting job goes next: high before normal before low, and none waits for ever. */
import { type Lane, lanes } from '../job/job.js';
import { createLinkedList, type LinkedList } from '../runtime/linked-list.js';

export type PerLane<T> = Readonly<Record<Lane, T>>;

/** How often a waiting lane is passed over before it comes first once. */
const patience: PerLane<number> = { high: Number.POSITIVE_INFINITY, normal: 3, low: 15 };

/**
 * The part of all starts that a lane gets at least while every lane has jobs waiting: 1 in so many. Low comes first once
 * it was passed over 15 times; normal after 3, and may then wait for low; high may wait for both.
 */
export const leastShare: PerLane<number> = { high: 1 / 3, normal: 1 / 5, low: 1 / 16 };

/** The lane to take from, given how many wait in each and how often each was passed over; undefined when none waits. */
export function chooseLane(waiting: PerLane<number>, passed: PerLane<number>): Lane | undefined {
  const impatient = lanes.findLast((lane) => waiting[lane] > 0 && passed[lane] >= patience[lane]);
  return impatient ?? lanes.find((lane) => waiting[lane] > 0);
}

/** The counts of passing over after `chosen` was taken: a lane in which nothing waits is not passed over. */
export function passOver(waiting: PerLane<number>, passed: PerLane<number>, chosen: Lane): PerLane<number> {
  const next = (lane: Lane): number => (lane === chosen || waiting[lane] === 0 ? 0 : passed[lane] + 1);
  return { high: next('high'), normal: next('normal'), low: next('low') };
}

/** The waiting line of one queue: first come, first served within a lane. */
export interface WaitingLine<T> {
  readonly size: number;
  push(lane: Lane, item: T): void;
  takeBest(): T | undefined;
  takeAll(): T[];
  /** Those that `isWanted` picks out; the others keep their places. */
  takeWhere(isWanted: (item: T) => boolean): T[];
}

const none: PerLane<number> = { high: 0, normal: 0, low: 0 };

export function createWaitingLine<T>(): WaitingLine<T> {
  const items: PerLane<LinkedList<T>> = {
    high: createLinkedList(),
    normal: createLinkedList(),
    low: createLinkedList(),
  };
  let passed = none;
  const counts = (): PerLane<number> => ({
    high: items.high.size,
    normal: items.normal.size,
    low: items.low.size,
  });
  /** The one in which all that waits does, or any when nothing does: then no lane is passed over. Mostly it is so, and each job comes this way. */
  function onlyLane(): LinkedList<T> | undefined {
    const { high, normal, low } = items;
    if (high.size === 0 && low.size === 0) return normal;
    if (normal.size > 0) return undefined;
    if (low.size === 0) return high;
    return high.size === 0 ? low : undefined;
  }

  function takeWhere(isWanted: (item: T) => boolean): T[] {
    return lanes.flatMap((lane) => {
      const list = items[lane];
      const taken = list.links().filter((link) => isWanted(link.value) && list.remove(link));
      return taken.map(({ value }) => value);
    });
  }

  return {
    get size() {
      return items.high.size + items.normal.size + items.low.size;
    },
    push(lane, item) {
      items[lane].add(item);
    },
    takeBest() {
      const only = onlyLane();
      if (only !== undefined) {
        passed = none;
        return takeFirst(only);
      }
      const waiting = counts();
      const chosen = chooseLane(waiting, passed);
      if (chosen === undefined) return undefined;
      passed = passOver(waiting, passed, chosen);
      return takeFirst(items[chosen]);
    },
    takeAll() {
      return takeWhere(() => true);
    },
    takeWhere,
  };
}

function takeFirst<T>(list: LinkedList<T>): T | undefined {
  const { first } = list;
  if (first === undefined) return undefined;
  list.remove(first);
  return first.value;
}
