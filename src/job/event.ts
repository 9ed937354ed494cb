/**
 * What happens to jobs, as data: the events from which the recorder makes the rows that people read. They travel in batches,
 * and may arrive in any order and more than once. Every one names its job in full, so any of them implies `accepted`.
 */
import type { Lane } from './job.js';
import type { DeathReason, Failure } from './outcome.js';

/** The part that every event has: which attempt of which job it speaks of, and when it happened (ms, the clock of its source). */
export interface AboutJob {
  readonly id: string;
  readonly type: string;
  readonly queue: string;
  readonly lane: Lane;
  readonly run: number;
  readonly attempt: number;
  /** When this attempt may begin, in ms since the epoch. */
  readonly dueAtMs: number;
  readonly atMs: number;
}

/** @param job  the attempt in question, as a job or as its row */
export function aboutJob(job: Omit<AboutJob, 'atMs'>, atMs: number): AboutJob {
  const { id, type, queue, lane, run, attempt, dueAtMs } = job;
  return { id, type, queue, lane, run, attempt, dueAtMs, atMs };
}

/** JSON texts are carried as texts: nobody on the way parses them. */
export type JobEvent = AboutJob &
  (
    | {
        readonly kind: 'accepted';
        readonly maxAttempts?: number;
        readonly timeoutMs?: number;
        readonly expiresAtMs?: number;
        readonly traceId?: string;
        /** JSON text; only where RECORD_PAYLOAD asks for it. */
        readonly payload?: string;
        /** The same id was published once before with an unknown outcome. */
        readonly isAgain?: true;
      }
    | { readonly kind: 'started' }
    | {
        readonly kind: 'progressed';
        /** Counts from 1 within the attempt: the newest wins. */
        readonly step: number;
        /** From 0 to 100. */
        readonly percent: number;
        readonly note?: string;
      }
    | {
        readonly kind: 'succeeded';
        readonly startedAtMs: number;
        /** JSON text of what the handler returned, or absent when it was nothing. Cut to RESULT_MAX_BYTES it is no JSON any more. */
        readonly result?: string;
        /** Its size in bytes before it was cut. */
        readonly cutFrom?: number;
      }
    | {
        readonly kind: 'retried';
        readonly startedAtMs: number;
        /** When the next attempt may begin. */
        readonly nextDueAtMs: number;
        readonly failure: Failure;
      }
    | {
        readonly kind: 'cancelled';
        /** Absent: it never began. */
        readonly startedAtMs?: number;
        readonly failure: Failure;
        /** JSON text: a cancelled job can be replayed. */
        readonly payload: string;
      }
    | {
        readonly kind: 'deadLettered';
        readonly startedAtMs?: number;
        readonly reason: DeathReason;
        readonly failure: Failure;
        /** JSON text: the dead letter itself is gone once this is recorded. */
        readonly payload: string;
      }
    /** A new run begins: `run` is the new one, `attempt` 1. */
    | { readonly kind: 'replayed'; readonly payload?: string }
    | { readonly kind: 'discarded' }
  );

export type EventKind = JobEvent['kind'];

export const sourceRoles = ['serve', 'work', 'record', 'start'] as const;

/** One message of events. A source counts its batches without a gap from 1, and says when it has sent its last. */
export interface EventBatch {
  /** One life of one process: a UUID. */
  readonly source: string;
  readonly seq: number;
  readonly role: (typeof sourceRoles)[number];
  /** Host name and process id, for people. */
  readonly host: string;
  readonly atMs: number;
  /** Deliveries in the hands of this process when the batch was made. */
  readonly held: number;
  /** The source has ended in good order. */
  readonly isLast: boolean;
  /** May be none: a sign of life. */
  readonly events: readonly JobEvent[];
}
