/** An even pace: so many a second, one after the other. Pure; time is an argument. */
export interface Pace {
  /** How long until the next one may begin, in ms; 0: now. */
  waitMs(nowMs: number): number;
  /** One begins. */
  began(nowMs: number): void;
}

/** A timer that rings late, or a short step in between, is made up for; a longer pause is not, so nothing bursts after it. */
const CATCH_UP_MS = 250;

/** The first one may begin at once. */
export function createPace(ratePerSecond: number): Pace {
  const intervalMs = 1_000 / ratePerSecond;
  let dueMs = Number.NEGATIVE_INFINITY;
  return {
    // Bounded, for a clock can be set back.
    waitMs: (nowMs) => Math.min(intervalMs, Math.max(0, dueMs - nowMs)),
    began(nowMs) {
      const isOnTime = Math.abs(nowMs - dueMs) <= CATCH_UP_MS;
      dueMs = (isOnTime ? dueMs : nowMs) + intervalMs;
    },
  };
}
