/** Which jobs are in our hands and which have just left them: a job delivered again is recognised and not run twice. */
import type { Job } from '../job/job.js';
import { createTurnoverMap } from '../runtime/turnover-map.js';

export interface Recent<Held, Verdict> {
  /** What is held under this key, unsettled. */
  held(key: string): Held | undefined;
  /** How it ended, as long as it is remembered. */
  verdict(key: string): Verdict | undefined;
  hold(key: string, held: Held): void;
  /** No longer held; its end is remembered at least until `capacity` later ones have ended. */
  finish(key: string, verdict: Verdict): void;
  /** No longer held, and as if it had never been: it may come again and is run then. */
  forget(key: string): void;
  allHeld(): Held[];
  readonly heldCount: number;
}

/** The same attempt of the same run, however often it is delivered. */
export function attemptKey({ id, run, attempt }: Pick<Job, 'id' | 'run' | 'attempt'>): string {
  // Most jobs have one attempt, and no need of another string.
  return run === 1 && attempt === 1 ? id : `${id}/${run}/${attempt}`;
}

/**
 * What is held is bounded by the prefetch, what has ended by twice `capacity`. Two generations instead of one Map whose
 * oldest key is deleted: finding the first key of a Map costs a walk over all that were deleted before it.
 */
export function createRecent<Held extends NonNullable<unknown>, Verdict>(
  capacity: number,
): Recent<Held, Verdict> {
  const held = createTurnoverMap<string, Held>();
  let younger = new Map<string, Verdict>();
  let older = new Map<string, Verdict>();
  return {
    held: (key) => held.get(key),
    verdict: (key) => younger.get(key) ?? older.get(key),
    hold(key, value) {
      held.set(key, value);
    },
    finish(key, verdict) {
      held.delete(key);
      younger.set(key, verdict);
      if (younger.size < capacity) return;
      older = younger;
      younger = new Map();
    },
    forget(key) {
      held.delete(key);
      younger.delete(key);
      older.delete(key);
    },
    allHeld: () => Array.from(held.entries(), ([, one]) => one),
    get heldCount() {
      return held.size;
    },
  };
}
