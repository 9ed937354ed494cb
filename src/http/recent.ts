/** What this process has just accepted: read until the store knows it, so that nobody gets a 404 for an id that we gave out. */
import type { Job, Writable } from '../job/job.js';

/** A job without its payload, whose bytes would keep a whole request in memory. */
export type RecentJob = Omit<Job, 'body' | 'timeoutMs' | 'tracestate'>;

export interface Recent {
  add(job: Job): void;
  get(id: string): RecentJob | undefined;
}

/** 5 s of 8,000 jobs a second, at some 200 bytes each. */
const KEPT = 40_000;

/** Keeps the newest `kept` jobs or up to half of them more: two generations, because a map that loses its oldest key at each insertion is slow. */
export function createRecent(kept = KEPT): Recent {
  let young = new Map<string, RecentJob>();
  let old = new Map<string, RecentJob>();
  return {
    add({ id, type, queue, lane, run, attempt, dueAtMs, maxAttempts, expiresAtMs, traceparent }) {
      if (young.size * 2 >= kept) {
        old = young;
        young = new Map();
      }
      const job: Writable<RecentJob> = { id, type, queue, lane, run, attempt, dueAtMs };
      if (maxAttempts !== undefined) job.maxAttempts = maxAttempts;
      if (expiresAtMs !== undefined) job.expiresAtMs = expiresAtMs;
      if (traceparent !== undefined) job.traceparent = traceparent;
      young.set(id, job);
    },
    get: (id) => young.get(id) ?? old.get(id),
  };
}
