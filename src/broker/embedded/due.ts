/** Moves delayed jobs into their lanes when they are due: an index by due time in the file, and one timer to the next. */
import type { Clock } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import type { Storage } from './storage.js';

export interface Due {
  /** A job is due then; earlier calls need not be repeated. */
  at(dueAtMs: number): void;
  stop(): void;
}

export interface DueOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly log: Log;
  /** The lane has got jobs. */
  readonly hasNews: (lane: number) => void;
}

/** One step, so that publishes are not kept waiting behind a million jobs due at once. */
const STEP_JOBS = 256;
/** The wall clock may be set while we wait. */
const LOOK_AGAIN_MS = 60_000;
const AFTER_FAILURE_MS = 1_000;

export function createDue({ storage, clock, log, hasNews }: DueOptions): Due {
  let nextMs = Number.POSITIVE_INFINITY;
  let cancel: (() => void) | undefined;
  let isMoving = false;
  let isStopped = false;

  function arm(): void {
    cancel?.();
    cancel = undefined;
    if (isStopped || isMoving || nextMs === Number.POSITIVE_INFINITY) return;
    const waitMs = Math.max(0, nextMs - clock.now());
    cancel = clock.after(Math.min(waitMs, LOOK_AGAIN_MS), () => {
      cancel = undefined;
      if (clock.now() >= nextMs) void move();
      else arm();
    });
  }

  async function move(): Promise<void> {
    isMoving = true;
    nextMs = Number.POSITIVE_INFINITY;
    try {
      for (let isCut = true; isCut && !isStopped; ) {
        const promoted = await storage.promote([clock.now(), STEP_JOBS]);
        isCut = promoted.isCut;
        for (const lane of promoted.lanes) hasNews(lane);
        // What was published meanwhile may be due earlier than what the file held then.
        nextMs = Math.min(nextMs, promoted.nextDueMs ?? Number.POSITIVE_INFINITY);
      }
    } catch (error) {
      nextMs = clock.now() + AFTER_FAILURE_MS;
      if (!isStopped)
        log.error({ err: error }, 'delayed jobs cannot be moved into their lanes; it is tried again');
    } finally {
      isMoving = false;
      arm();
    }
  }

  return {
    at(dueAtMs) {
      if (dueAtMs >= nextMs) return;
      nextMs = dueAtMs;
      arm();
    },
    stop() {
      isStopped = true;
      cancel?.();
    },
  };
}
