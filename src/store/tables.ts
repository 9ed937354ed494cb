/**
 * The tables of the store as kysely sees them: the same names and columns on SQLite and PostgreSQL. All begin with `sluice_`: the
 * file is shared with the built-in engine, which has a table `jobs` of its own, and a PostgreSQL database often with other programs.
 * Flags are 0 or 1, times ms since the epoch, JSON is text.
 */
import type { Generated } from 'kysely';

export interface Database {
  sluice_jobs: JobsTable;
  sluice_attempts: AttemptsTable;
  sluice_payloads: PayloadsTable;
  sluice_sources: SourcesTable;
  sluice_source_batches: SourceBatchesTable;
  sluice_flow: FlowTable;
  sluice_totals: TotalsTable;
  sluice_quarantine: QuarantineTable;
  sluice_remade: RemadeTable;
  sluice_cancels: CancelsTable;
  sluice_queue_orders: QueueOrdersTable;
  sluice_idempotency_keys: IdempotencyKeysTable;
  sluice_redrives: RedrivesTable;
  sluice_redrive_runs: RedriveRunsTable;
}

/** `JobRow` of job/fold. */
export interface JobsTable {
  id: string;
  type: string;
  queue: string;
  lane: string;
  is_accepted: number;
  max_attempts: number | null;
  timeout_ms: number | null;
  expires_at_ms: number | null;
  trace_id: string | null;
  position: number;
  tie: number;
  /** As recorded: scheduled and retrying ones whose due time has come are displayed as queued. */
  state: string;
  run: number;
  attempt: number;
  due_at_ms: number;
  started_at_ms: number | null;
  finished_at_ms: number | null;
  result: string | null;
  result_cut_from: number | null;
  reason: string | null;
  failure: string | null;
  error_group: string | null;
  progress_position: number;
  percent: number | null;
  note: string | null;
  /** The run after this one may be begun by one process alone until `claimed_until_ms`. */
  claimed_run: number | null;
  claimed_until_ms: number | null;
}

/** Failed attempts. Primary key (id, run, attempt). */
export interface AttemptsTable {
  id: string;
  run: number;
  attempt: number;
  rank: number;
  tie: number;
  outcome: string;
  started_at_ms: number | null;
  ended_at_ms: number;
  failure: string;
}

/** Payloads of jobs that can be replayed. Primary key id. */
export interface PayloadsTable {
  id: string;
  run: number;
  payload: string;
}

/** Processes that send events. `counted_through` and what follows are their books, made up by the recorder's upkeep (`ledgers`). */
export interface SourcesTable {
  source: string;
  role: string;
  host: string;
  /** By the clock of the recorder. */
  first_at_ms: number;
  last_at_ms: number;
  /** From the receipt of this greatest seq: */
  last_seq: number;
  held: number;
  has_ended: number;
  /** Batches up to this one are in the two sums and no more in sluice_source_batches, except for the gaps. */
  counted_through: Generated<number>;
  accepted: Generated<number>;
  accepted_again: Generated<number>;
  /** JSON: `[[first, last, sinceMs], …]`; '[]' without any. */
  gaps: Generated<string>;
  /** Another one each time the books are made up; '' at first. */
  books_version: Generated<string>;
}

/** Batches that came and are not in the books yet, or came again. Primary key (source, seq). */
export interface SourceBatchesTable {
  source: string;
  seq: number;
  accepted: number;
  accepted_again: number;
}

/** Primary key (bucket_ms, queue). */
export interface FlowTable {
  bucket_ms: number;
  queue: string;
  accepted: number;
  succeeded: number;
  retried: number;
  dead: number;
  cancelled: number;
}

/**
 * Rows that retention has deleted, by state. Beside them: `accepted` and `accepted_again`, sums of sources that are forgotten; `remade`,
 * rows that were deleted a second time; `forgotten_before`, whose count is a time in ms: jobs that ended before it may have been
 * deleted. Primary key state.
 */
export interface TotalsTable {
  state: string;
  count: number;
  /** How many of them had is_accepted. */
  accepted: number;
}

export interface QuarantineTable {
  id: Generated<number>;
  origin: string;
  reason: string;
  raw: Uint8Array;
  at_ms: number;
  /** What tells it from others: of one digest there is one. Null in rows of older releases. */
  digest: string | null;
}

/** Rows made by news that came late, of jobs that may have been deleted before: see store/remade. Primary key id. */
export interface RemadeTable {
  id: string;
  at_ms: number;
}

/** Primary key (id, run). */
export interface CancelsTable {
  id: string;
  run: number;
  at_ms: number;
}

export interface QueueOrdersTable {
  queue: string;
  is_paused: number;
  concurrency: number | null;
  purged_through_ms: number | null;
}

/** Primary key (owner, key). */
export interface IdempotencyKeysTable {
  owner: string;
  key: string;
  job_id: string;
  due_at_ms: number;
  body_hash: string;
  lease_until_ms: number;
  expires_at_ms: number;
  is_done: number;
}

/** `Redrive` of store/redrives. `driver` holds it until `driven_until_ms`. */
export interface RedrivesTable {
  id: string;
  kind: string;
  state: string;
  reason: string | null;
  filter: string;
  rate_per_second: number | null;
  matched: number;
  done: number;
  skipped: number;
  cursor: string | null;
  created_at_ms: number;
  updated_at_ms: number;
  ended_at_ms: number | null;
  driver: string | null;
  driven_until_ms: number;
  /** The step that was booked last; null before the first. */
  last_step: string | null;
  /** Of the request that ordered it. */
  traceparent: string | null;
}

/** Runs that a redrive has begun. Primary key (redrive, job, run). */
export interface RedriveRunsTable {
  redrive: string;
  job: string;
  run: number;
}
