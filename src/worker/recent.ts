/** Which jobs are in our hands and which have just left them: a job delivered again is recognised and not run twice. */
import type { Job } from '../job/job.js';

export interface Recent<Held, Verdict> {
  /** What is held under this key, unsettled. */
  held(key: string): Held | undefined;
  /** How it ended, as long as it is remembered. */
  verdict(key: string): Verdict | undefined;
  hold(key: string, held: Held): void;
  /** No longer held; its end is remembered until `capacity` later ones have ended. */
  finish(key: string, verdict: Verdict): void;
  /** No longer held, and as if it had never been: it may come again and is run then. */
  forget(key: string): void;
  allHeld(): Held[];
}

/** The same attempt of the same run, however often it is delivered. */
export function attemptKey(job: Pick<Job, 'id' | 'run' | 'attempt'>): string {
  return `${job.id}/${job.run}/${job.attempt}`;
}

/** What is held is bounded by the prefetch, what has ended by `capacity`. */
export function createRecent<Held, Verdict>(capacity: number): Recent<Held, Verdict> {
  const held = new Map<string, Held>();
  const ended = new Map<string, Verdict>(); // a Map keeps the order of insertion: the first key is the oldest
  return {
    held: (key) => held.get(key),
    verdict: (key) => ended.get(key),
    hold(key, value) {
      held.set(key, value);
    },
    finish(key, verdict) {
      held.delete(key);
      ended.delete(key);
      ended.set(key, verdict);
      if (ended.size > capacity) {
        for (const oldest of ended.keys()) {
          ended.delete(oldest);
          break;
        }
      }
    },
    forget(key) {
      held.delete(key);
      ended.delete(key);
    },
    allHeld: () => [...held.values()],
  };
}
