/** Requests that wait for the ends of jobs: one poll of the store for all of them. */

import { hasEnded } from '../job/state.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { JobReader } from '../store/store.js';
import { Rejection } from './problem.js';

export interface Waiting {
  /**
   * Resolves when the run has ended or a later one has begun, after `ms`, when `signal` aborts, or at `close`.
   * @throws Rejection overloaded  too many wait already
   */
  untilEnd(id: string, run: number, ms: number, signal: AbortSignal): Promise<void>;
  /** Nobody waits any longer. */
  close(): void;
}

interface Waiter {
  readonly run: number;
  readonly resolve: () => void;
}

/** Between the answer of one poll and the next. A fifth of what a person notices. */
const POLL_MS = 100;
const POLL_AFTER_FAULT_MS = 1_000;
const IDS_PER_QUERY = 500;
const MOST_WAITERS = 1_000;

export function createWaiting(options: {
  readonly jobs: Pick<JobReader, 'states'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly mostWaiters?: number;
}): Waiting {
  const { jobs, clock, log, mostWaiters = MOST_WAITERS } = options;
  const waiters = new Map<string, Set<Waiter>>();
  let count = 0;
  let isAsking = false;
  let disarm: (() => void) | undefined;
  let isClosed = false;

  function pollAfter(ms: number): void {
    if (count === 0 || isAsking || disarm !== undefined) return;
    disarm = clock.after(ms, () => {
      disarm = undefined;
      void poll();
    });
  }

  async function poll(): Promise<void> {
    let pauseMs = POLL_MS;
    isAsking = true;
    try {
      const ids = [...waiters.keys()];
      for (let from = 0; from < ids.length; from += IDS_PER_QUERY) {
        for (const { id, run, state } of await jobs.states(ids.slice(from, from + IDS_PER_QUERY))) {
          for (const waiter of waiters.get(id) ?? [])
            if (run > waiter.run || (run === waiter.run && hasEnded(state))) waiter.resolve();
        }
      }
    } catch (error) {
      log.debug({ err: error }, 'the store could not be asked for the ends of jobs');
      pauseMs = POLL_AFTER_FAULT_MS;
    }
    isAsking = false;
    pollAfter(pauseMs);
  }

  return {
    async untilEnd(id, run, ms, signal) {
      if (isClosed || signal.aborted) return;
      if (count >= mostWaiters) {
        throw new Rejection('overloaded', `${count} requests wait for the ends of jobs, ask without ?wait`);
      }
      const { promise, resolve } = deferred();
      const waiter: Waiter = { run, resolve };
      const others = waiters.get(id) ?? new Set();
      waiters.set(id, others.add(waiter));
      count += 1;
      const cancel = clock.after(ms, resolve);
      signal.addEventListener('abort', resolve, { once: true });
      pollAfter(POLL_MS);
      await promise;
      cancel();
      signal.removeEventListener('abort', resolve);
      count -= 1;
      others.delete(waiter);
      if (others.size === 0) waiters.delete(id);
      if (count > 0) return;
      disarm?.();
      disarm = undefined;
    },
    close() {
      isClosed = true;
      for (const group of waiters.values()) for (const { resolve } of group) resolve();
    },
  };
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
