/** A clock that moves only when the test says so. */
import type { Clock } from '../../src/runtime/clock.js';

export interface ManualClock extends Clock {
  /** Timers that have neither run nor been called off. */
  readonly waiting: number;
  /** Moves on by `ms`, running what falls due in order; what follows from each (promises included) happens before the next. */
  advance(ms: number): Promise<void>;
  /** Resolves as soon as at least `count` timers wait, so that an advance cannot come too early. */
  untilWaiting(count: number): Promise<void>;
}

interface Timer {
  readonly dueMs: number;
  readonly run: () => void;
}

/** Lets everything that is ready run: promises, and what they set off. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** @param startMs  what `now` says at first, in ms since the epoch */
export function createManualClock(startMs = Date.UTC(2026, 0, 1)): ManualClock {
  let nowMs = startMs;
  const timers = new Set<Timer>();
  const watchers = new Set<() => void>();

  const nextDue = (untilMs: number): Timer | undefined => {
    let next: Timer | undefined;
    for (const timer of timers) {
      if (timer.dueMs <= untilMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  };

  return {
    now: () => nowMs,
    after(ms, run) {
      const timer: Timer = { dueMs: nowMs + Math.max(ms, 0), run };
      timers.add(timer);
      for (const look of watchers) look();
      return () => void timers.delete(timer);
    },
    get waiting() {
      return timers.size;
    },
    async advance(ms) {
      const untilMs = nowMs + ms;
      await turns();
      for (let timer = nextDue(untilMs); timer !== undefined; timer = nextDue(untilMs)) {
        timers.delete(timer);
        nowMs = Math.max(nowMs, timer.dueMs);
        timer.run();
        await turns();
      }
      nowMs = untilMs;
    },
    untilWaiting(count) {
      return new Promise((resolve) => {
        const look = (): void => {
          if (timers.size < count) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      });
    },
  };
}
