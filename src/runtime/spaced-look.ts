/** A look that costs the one who is looked at: shared by all who want it, kept for a while, and rarer the longer it takes. */
import type { Clock } from './clock.js';

export interface SpacedLook<Seen> {
  /**
   * What was seen last while that is fresh, else a new look, shared by all who ask meanwhile.
   * @throws what the look throws; a failure is told again for `failedMs`, never what was seen before it
   */
  see(): Promise<Seen>;
  /** The next one to ask gets a new look. */
  forget(): void;
}

export interface SpacedLookOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** How long what was seen is kept at least. */
  readonly freshMs: number;
  /** How long a failure is kept at least; absent: the next one to ask tries again. */
  readonly failedMs?: number;
}

/** After a look that took long, its object rests so many times as long. */
const REST_SHARE = 20;

export function createSpacedLook<Seen>(
  look: () => Promise<Seen>,
  { clock, freshMs, failedMs }: SpacedLookOptions,
): SpacedLook<Seen> {
  let last: { readonly seen: Promise<Seen>; untilMs: number } | undefined;

  return {
    see() {
      const nowMs = clock.now();
      if (last !== undefined && nowMs < last.untilMs) return last.seen;
      const made = { seen: look(), untilMs: Number.POSITIVE_INFINITY };
      last = made;
      const keep = (leastMs: number): void => {
        const endedMs = clock.now();
        made.untilMs = endedMs + Math.max(leastMs, REST_SHARE * (endedMs - nowMs));
      };
      made.seen.then(
        () => keep(freshMs),
        () => {
          if (failedMs === undefined) made.untilMs = Number.NEGATIVE_INFINITY;
          else keep(failedMs);
        },
      );
      return made.seen;
    },
    forget() {
      last = undefined;
    },
  };
}
