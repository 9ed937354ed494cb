/**
 * The store port: the rows that people read, and the registers that hold what they have asked for. The same on SQLite and
 * PostgreSQL. Every method rejects with `StoreUnavailable` while the database cannot be reached.
 */
import type { EventBatch } from '../job/event.js';
import type { AttemptRow, JobRow, PayloadRow } from '../job/fold.js';
import type { Lane } from '../job/job.js';
import type { Orders, QueueOrder } from '../job/orders.js';
import type { State } from '../job/state.js';
import type { Health, Service } from '../runtime/service.js';

export interface Store extends Service {
  readonly kind: 'sqlite' | 'postgres';
  /** Where it lies, for a person; no password in it. */
  readonly place: string;
  health(): Health;
  readonly records: Records;
  readonly jobs: JobReader;
  readonly registers: Registers;
  readonly idempotency: IdempotencyKeys;
}

/** What the recorder writes. */
export interface Records {
  /**
   * Everything in one transaction, idempotent and in any order: rows are merged by the rule of `job/fold`.
   * @throws StoreUnavailable  @throws StoreRefused  the database does not take this content: try its parts one by one
   */
  record(recording: Recording): Promise<void>;
  /**
   * The same, of batches as they were sent: read where they are written. Only where that is elsewhere than in our own loop.
   * @returns how many events were in them, or undefined when one of them cannot be read; then nothing is written
   * @throws StoreUnavailable  @throws StoreRefused
   */
  recordBatches?(batches: readonly Buffer[]): Promise<number | undefined>;
  /** A batch or a letter that cannot be recorded, kept with its bytes for a person; once, though it be delivered again. */
  quarantine(item: {
    readonly origin: 'events' | 'dead';
    readonly reason: string;
    readonly raw: Buffer;
    readonly atMs: number;
  }): Promise<void>;
}

export interface Recording {
  /** Without their events; `accepted`: how many first acceptances were in each. */
  readonly receipts: readonly (Omit<EventBatch, 'events'> & {
    readonly accepted: number;
    readonly acceptedAgain: number;
  })[];
  readonly rows: readonly JobRow[];
  readonly attempts: readonly AttemptRow[];
  readonly payloads: readonly PayloadRow[];
  /** For rates: how many jobs of a queue went through in the ten seconds from `bucketMs`. Added up; a batch that comes twice counts twice. */
  readonly flow: readonly {
    readonly queue: string;
    readonly bucketMs: number;
    readonly accepted: number;
    readonly succeeded: number;
    readonly retried: number;
    readonly dead: number;
    readonly cancelled: number;
  }[];
}

export interface JobReader {
  get(
    id: string,
  ): Promise<
    | { readonly row: JobRow; readonly attempts: readonly AttemptRow[]; readonly payload: string | undefined }
    | undefined
  >;
  /**
   * Newest first. `nowMs` decides between scheduled or retrying and queued. `cursor` as given by the page before. A page of a rare type,
   * queue or group can be short or empty although there are more: `next` alone says whether.
   */
  list(
    filter: JobFilter,
    page: { readonly limit: number; readonly cursor?: string; readonly nowMs: number },
  ): Promise<{ readonly rows: readonly JobRow[]; readonly next: string | undefined }>;
  /** State of several jobs, for those who wait for their ends; unknown ones are left out. */
  states(
    ids: readonly string[],
  ): Promise<readonly { readonly id: string; readonly run: number; readonly state: State }[]>;
  /** All rows. */
  size(): Promise<number>;
  /** Of what has not ended and of the dead: rows by queue and state as of `nowMs`, oldest due time of what waits. */
  counts(nowMs: number): Promise<readonly StateCount[]>;
  /** Sums over the buckets since then. */
  flow(sinceMs: number): Promise<Recording['flow']>;
  deadGroups(filter: DeadFilter, limit: number): Promise<readonly DeadGroup[]>;
  /** Ids of dead jobs, oldest death first, after the cursor. */
  deadIds(
    filter: DeadFilter,
    page: { readonly limit: number; readonly cursor?: string },
  ): Promise<{ readonly ids: readonly string[]; readonly next: string | undefined }>;
  countDead(filter: DeadFilter): Promise<number>;
}

export interface JobFilter {
  readonly state?: State;
  readonly type?: string;
  readonly queue?: string;
  /** Error fingerprint. */
  readonly group?: string;
}

export interface DeadFilter {
  readonly ids?: readonly string[];
  readonly group?: string;
  readonly type?: string;
  readonly queue?: string;
  /** Died before, in ms since the epoch. */
  readonly diedBeforeMs?: number;
}

export interface StateCount {
  readonly queue: string;
  readonly lane: Lane;
  readonly state: State;
  readonly count: number;
  /** Earliest due time of these rows, in ms. */
  readonly oldestDueMs: number;
}

export interface DeadGroup {
  readonly group: string;
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** The newest of them. */
  readonly example: {
    readonly id: string;
    readonly type: string;
    readonly queue: string;
    readonly name: string;
    readonly message: string;
  };
}

/** Truth that exists nowhere else. */
export interface Registers {
  /** One consistent snapshot for the workers. */
  orders(): Promise<Orders>;
  /** Idempotent. Forgotten some time after the run has ended and is recorded: its delivery may still come again. */
  cancel(id: string, run: number, atMs: number): Promise<void>;
  /** When it was asked for, or undefined. */
  cancelRequestedAt(id: string, run: number): Promise<number | undefined>;
  /** Changes what is named; `concurrency: null` goes back to the setting. */
  orderQueue(
    queue: string,
    change: {
      readonly isPaused?: boolean;
      readonly concurrency?: number | null;
      readonly purgedThroughMs?: number;
    },
  ): Promise<QueueOrder>;
  /**
   * Takes the right to begin run `run + 1` of a dead or cancelled job, until `untilMs`: undefined when the row is not in `run` or in
   * such a state, or another one has the right.
   */
  claimReplay(
    id: string,
    run: number,
    nowMs: number,
    untilMs: number,
  ): Promise<{ readonly row: JobRow; readonly payload: string | undefined } | undefined>;
}

/** Reservations of `Idempotency-Key`, by who asked and key. */
export interface IdempotencyKeys {
  /**
   * Takes the key for a new job, or shows who has it. `taken`: it is ours until `leaseUntilMs`. `held`: a reservation with the same or
   * another body hash; `isLeased` as long as its lease lasts, `isDone` once its job was accepted.
   */
  reserve(
    reservation: IdempotencyReservation,
    nowMs: number,
  ): Promise<
    | { readonly kind: 'taken' }
    | { readonly kind: 'held'; readonly by: IdempotencyReservation & { readonly isDone: boolean } }
  >;
  /** Takes over a reservation whose lease is over, unchanged but for the lease; false when another one was faster. */
  takeOver(owner: string, key: string, formerLeaseUntilMs: number, leaseUntilMs: number): Promise<boolean>;
  /** Its job was accepted. */
  done(owner: string, key: string): Promise<void>;
  /** Its job was refused for certain: the key is free again. */
  release(owner: string, key: string, jobId: string): Promise<void>;
  /** Deletes what has expired, at most `limit`; how many. */
  sweep(nowMs: number, limit: number): Promise<number>;
}

export interface IdempotencyReservation {
  /** The name of the API key, '' without one. */
  readonly owner: string;
  readonly key: string;
  readonly jobId: string;
  readonly dueAtMs: number;
  /** SHA-256 of the request, hex. */
  readonly bodyHash: string;
  readonly leaseUntilMs: number;
  readonly expiresAtMs: number;
}
