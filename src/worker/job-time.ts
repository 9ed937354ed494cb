/** How long the jobs of one queue take, as seen here: the prefetch follows it. */
import type { Clock } from '../runtime/clock.js';

export interface Measured {
  /** Of what ended lately, in ms. */
  readonly meanMs: number;
  /** Of what ended lately or still runs, in ms; an old one counts for half with each look. */
  readonly slowestMs: number;
}

export interface Beginning {
  readonly atMs: number;
}

export interface JobTime {
  /** A handler takes a slot; hand what is returned to `ended` when the slot is free again. */
  began(): Beginning;
  ended(one: Beginning): void;
  /** What is known by now, or undefined; begins a new period. */
  look(): Measured | undefined;
}

export function createJobTime(clock: Clock): JobTime {
  /** When each began that runs, oldest first. */
  const running = new Set<Beginning>();
  let count = 0;
  let sumMs = 0;
  let slowestMs = 0;
  let known: Measured | undefined;

  return {
    began() {
      const one = { atMs: clock.now() };
      running.add(one);
      return one;
    },
    ended(one) {
      running.delete(one);
      const ms = Math.max(0, clock.now() - one.atMs);
      count += 1;
      sumMs += ms;
      slowestMs = Math.max(slowestMs, ms);
    },
    look() {
      const [oldest] = running;
      const ageMs = oldest === undefined ? 0 : clock.now() - oldest.atMs;
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
