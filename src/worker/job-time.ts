/** How long the jobs of one queue take, as seen here: the prefetch follows it. */
import type { Clock } from '../runtime/clock.js';
import { createLinkedList, type Link } from '../runtime/linked-list.js';

export interface Measured {
  /** Of what ended lately, in ms. */
  readonly meanMs: number;
  /** Of what ended lately or still runs, in ms; an old one counts for half with each look. */
  readonly slowestMs: number;
}

/** With the time it began at, in ms. */
export type Beginning = Link<number>;

export interface JobTime {
  /** A handler takes a slot; hand what is returned to `ended` when the slot is free again. */
  began(): Beginning;
  ended(one: Beginning): void;
  /** What is known by now, or undefined; begins a new period. */
  look(): Measured | undefined;
}

export function createJobTime(clock: Clock): JobTime {
  /** When each began that runs, oldest first. */
  const running = createLinkedList<number>();
  let count = 0;
  let sumMs = 0;
  let slowestMs = 0;
  let known: Measured | undefined;

  return {
    began() {
      return running.add(clock.now());
    },
    ended(one) {
      running.remove(one);
      const ms = Math.max(0, clock.now() - one.value);
      count += 1;
      sumMs += ms;
      slowestMs = Math.max(slowestMs, ms);
    },
    look() {
      const oldest = running.first;
      const ageMs = oldest === undefined ? 0 : clock.now() - oldest.value;
      if (known === undefined && count === 0) return undefined;
      known = {
        meanMs: count > 0 ? sumMs / count : (known?.meanMs ?? 0),
        slowestMs: Math.max(slowestMs, ageMs, (known?.slowestMs ?? 0) / 2),
      };
      count = 0;
      sumMs = 0;
      slowestMs = 0;
      return known;
    },
  };
}
