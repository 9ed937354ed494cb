/**
 * How events become the row of a job: pure, idempotent, and blind to order. A row is the join of all that its events say: for
 * each group of columns the greatest position wins, so merging is associative, commutative and idempotent, in SQL as here.
 */
import type { JobEvent } from './event.js';
import type { Lane } from './job.js';
import type { DeathReason } from './outcome.js';
import type { State } from './state.js';

export interface JobRow {
  readonly id: string;
  readonly type: string;
  readonly queue: string;
  readonly lane: Lane;
  /** An `accepted` event was seen; otherwise another event implied it. */
  readonly isAccepted: boolean;
  readonly maxAttempts: number | null;
  readonly expiresAtMs: number | null;
  readonly traceId: string | null;

  /** Of the group of state: by run; then ended states (dead < discarded < cancelled < succeeded); then attempt; then rank. A safe integer. */
  readonly position: number;
  /** Decides between two events of one position: a 32-bit hash of what they say. No clock is compared. */
  readonly tie: number;
  readonly state: State;
  readonly run: number;
  readonly attempt: number;
  readonly dueAtMs: number;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
  /** JSON text. */
  readonly result: string | null;
  readonly resultCutFrom: number | null;
  readonly reason: DeathReason | null;
  /** `Failure` as JSON text: of the end of the run, or of the last attempt that failed. */
  readonly failure: string | null;
  /** Error fingerprint of a dead job. */
  readonly errorGroup: string | null;

  /** Of the group of progress: by run, attempt and step; 0 without any. */
  readonly progressPosition: number;
  readonly percent: number | null;
  readonly note: string | null;
}

/** One failed attempt. Key: (id, run, attempt); the greatest (rank, tie) wins. */
export interface AttemptRow {
  readonly id: string;
  readonly run: number;
  readonly attempt: number;
  readonly rank: number;
  readonly tie: number;
  readonly outcome: 'retried' | 'dead' | 'cancelled';
  readonly startedAtMs: number | null;
  readonly endedAtMs: number;
  /** `Failure` as JSON text. */
  readonly failure: string;
}

/** Key: id; the greatest run wins. */
export interface PayloadRow {
  readonly id: string;
  readonly run: number;
  /** JSON text. */
  readonly payload: string;
}

export interface Folded {
  readonly rows: readonly JobRow[];
  readonly attempts: readonly AttemptRow[];
  readonly payloads: readonly PayloadRow[];
}

/** Each job, attempt and payload once, sorted by id. */
export declare function fold(events: readonly JobEvent[]): Folded;
