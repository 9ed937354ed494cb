/**
 * How events become the row of a job: pure, idempotent, and blind to order. A row is the join of all that its events say: for
 * each group of columns the greatest position wins, so merging is associative, commutative and idempotent, in SQL as here.
 */
import { crc32 } from 'node:zlib';
import type { JobEvent } from './event.js';
import { fingerprintOf } from './fingerprint.js';
import { acceptedAtMs, type Lane } from './job.js';
import type { DeathReason, Failure } from './outcome.js';
import type { State } from './state.js';

export interface JobRow {
  readonly id: string;
  readonly type: string;
  readonly queue: string;
  readonly lane: Lane;
  /** An `accepted` event was seen; otherwise another event implied it. */
  readonly isAccepted: boolean;
  readonly maxAttempts: number | null;
  readonly timeoutMs: number | null;
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

  /** Of the group of progress: by run, attempt and step; 0 without any. Of equals the greater percent wins, then the greater note. */
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

/** Positions stay safe integers up to here; beyond, runs and attempts are no longer told apart. */
export const greatestRun = 2 ** 16 - 1;
export const greatestAttempt = 2 ** 30 - 1;
const GREATEST_PROGRESS_ATTEMPT = 2 ** 16 - 1;
const GREATEST_STEP = 2 ** 21 - 1;

/** Each job, attempt and payload once, sorted by id. */
export function fold(events: readonly JobEvent[]): Folded {
  const rows = new Map<string, JobRow>();
  const attempts = new Map<string, AttemptRow>();
  const payloads = new Map<string, PayloadRow>();
  for (const event of events) {
    const { id, run } = event;
    join(rows, id, rowOf(event), mergeRows);
    const attempt = attemptOf(event);
    if (attempt !== undefined) join(attempts, `${id} ${run} ${attempt.attempt}`, attempt, mergeAttempts);
    if ('payload' in event && event.payload !== undefined)
      join(payloads, id, { id, run, payload: event.payload }, mergePayloads);
  }
  return {
    rows: [...rows.values()].sort(byId),
    attempts: [...attempts.values()].sort((a, b) => byId(a, b) || a.run - b.run || a.attempt - b.attempt),
    payloads: [...payloads.values()].sort(byId),
  };
}

/** Two rows of one job as one. Associative, commutative and idempotent. */
export function mergeRows(a: JobRow, b: JobRow): JobRow {
  const winner = (a.position - b.position || a.tie - b.tie) < 0 ? b : a;
  const progress = compareProgress(a, b) < 0 ? b : a;
  return {
    ...winner,
    isAccepted: a.isAccepted || b.isAccepted,
    maxAttempts: greater(a.maxAttempts, b.maxAttempts),
    timeoutMs: greater(a.timeoutMs, b.timeoutMs),
    expiresAtMs: greater(a.expiresAtMs, b.expiresAtMs),
    traceId: greater(a.traceId, b.traceId),
    progressPosition: progress.progressPosition,
    percent: progress.percent,
    note: progress.note,
  };
}

/** Two rows of one attempt as one. */
export function mergeAttempts(a: AttemptRow, b: AttemptRow): AttemptRow {
  return (a.rank - b.rank || a.tie - b.tie) < 0 ? b : a;
}

/** Two payloads of one job as one. Those of one run are the same text. */
export function mergePayloads(a: PayloadRow, b: PayloadRow): PayloadRow {
  return (a.run - b.run || compareTexts(a.payload, b.payload)) < 0 ? b : a;
}

/** The percent and note of a row, if they are of the attempt that its state speaks of. */
export function progressOf(row: JobRow): { readonly percent: number; readonly note: string | null } | null {
  const { percent, note, progressPosition } = row;
  const isOfThisAttempt = progressPosition >= progressPositionOf(row.run, row.attempt, 0);
  return percent === null || !isOfThisAttempt ? null : { percent, note };
}

/** What one event says of the group of state. */
interface Said {
  readonly state: State;
  /** 0: the run goes on. Greater ones win, whatever the attempt. */
  readonly finality: number;
  /** Within an attempt. */
  readonly rank: number;
  readonly dueAtMs?: number;
  readonly startedAtMs?: number | undefined;
  readonly finishedAtMs?: number;
  readonly result?: string | undefined;
  readonly cutFrom?: number | undefined;
  readonly reason?: DeathReason;
  readonly failure?: string;
  readonly errorGroup?: string;
}

const going = { finality: 0 } as const;
const final = { dead: 1, discarded: 2, cancelled: 3, succeeded: 4 } as const;

function saidBy(event: JobEvent): Said {
  const { kind, atMs } = event;
  switch (kind) {
    case 'accepted':
      return { state: event.dueAtMs > acceptedAtMs(event) ? 'scheduled' : 'queued', ...going, rank: 0 };
    case 'replayed':
      return { state: event.dueAtMs > atMs ? 'scheduled' : 'queued', ...going, rank: 0 };
    case 'started':
      return { state: 'active', ...going, rank: 1, startedAtMs: atMs };
    case 'progressed':
      return { state: 'active', ...going, rank: 1 };
    case 'retried': {
      const { startedAtMs, nextDueAtMs: dueAtMs } = event;
      const failure = JSON.stringify(event.failure);
      return { state: 'retrying', ...going, rank: 2, startedAtMs, dueAtMs, failure };
    }
    case 'succeeded': {
      const { startedAtMs, result, cutFrom } = event;
      const finality = final.succeeded;
      return { state: kind, finality, rank: 0, startedAtMs, finishedAtMs: atMs, result, cutFrom };
    }
    case 'cancelled': {
      const failure = JSON.stringify(event.failure);
      const { startedAtMs } = event;
      return { state: kind, finality: final.cancelled, rank: 0, startedAtMs, finishedAtMs: atMs, failure };
    }
    case 'deadLettered': {
      const { startedAtMs, reason } = event;
      const failure = JSON.stringify(event.failure);
      const errorGroup = fingerprintOf(event.type, event.failure);
      const said = { startedAtMs, finishedAtMs: atMs, reason, failure, errorGroup };
      return { state: 'dead', finality: final.dead, rank: 0, ...said };
    }
    case 'discarded':
      return { state: kind, finality: final.discarded, rank: 0, finishedAtMs: atMs };
    default:
      throw unknownKind(kind);
  }
}

function rowOf(event: JobEvent): JobRow {
  const { id, type, queue, lane, run, attempt } = event;
  const said = saidBy(event);
  const accepted = event.kind === 'accepted' ? event : undefined;
  const progress = event.kind === 'progressed' ? event : undefined;
  const dueAtMs = said.dueAtMs ?? event.dueAtMs;
  const startedAtMs = said.startedAtMs ?? null;
  const finishedAtMs = said.finishedAtMs ?? null;
  const result = said.result ?? null;
  const resultCutFrom = said.cutFrom ?? null;
  const reason = said.reason ?? null;
  const failure = said.failure ?? null;
  const errorGroup = said.errorGroup ?? null;
  const hash = crc32(
    `${said.state}\0${run}\0${attempt}\0${dueAtMs}\0${startedAtMs}\0${finishedAtMs}\0${result}\0${resultCutFrom}\0${reason}\0${failure}`,
  );
  return {
    id,
    type,
    queue,
    lane,
    isAccepted: accepted !== undefined,
    maxAttempts: accepted?.maxAttempts ?? null,
    timeoutMs: accepted?.timeoutMs ?? null,
    expiresAtMs: accepted?.expiresAtMs ?? null,
    traceId: accepted?.traceId ?? null,
    position: positionOf(run, said.finality, attempt, said.rank),
    // `started` says more than `progressed`, which does not know when that was: it wins between the two.
    tie: progress === undefined ? (hash | upperHalf) >>> 0 : hash & ~upperHalf,
    state: said.state,
    run,
    attempt,
    dueAtMs,
    startedAtMs,
    finishedAtMs,
    result,
    resultCutFrom,
    reason,
    failure,
    errorGroup,
    progressPosition: progress === undefined ? 0 : progressPositionOf(run, attempt, progress.step),
    percent: progress?.percent ?? null,
    note: progress?.note || null,
  };
}

const upperHalf = 2 ** 31;

function positionOf(run: number, finality: number, attempt: number, rank: number): number {
  return (
    Math.min(run, greatestRun) * 2 ** 36 + finality * 2 ** 33 + Math.min(attempt, greatestAttempt) * 8 + rank
  );
}

function progressPositionOf(run: number, attempt: number, step: number): number {
  return (
    Math.min(run, greatestRun) * 2 ** 37 +
    Math.min(attempt, GREATEST_PROGRESS_ATTEMPT) * 2 ** 21 +
    Math.min(step, GREATEST_STEP)
  );
}

/** The attempt that failed with this event, if one did: a job that expired, or was cancelled before it began, has none. */
function attemptOf(event: JobEvent): AttemptRow | undefined {
  switch (event.kind) {
    case 'retried':
      return failedAttempt(event, 'retried', 0);
    case 'deadLettered': {
      const hasRun = event.reason !== 'expired' && event.reason !== 'undecodable';
      return hasRun ? failedAttempt(event, 'dead', final.dead) : undefined;
    }
    case 'cancelled':
      return event.startedAtMs === undefined ? undefined : failedAttempt(event, 'cancelled', final.cancelled);
    default:
      return undefined;
  }
}

function failedAttempt(
  event: JobEvent & { readonly failure: Failure; readonly startedAtMs?: number },
  outcome: AttemptRow['outcome'],
  rank: number,
): AttemptRow {
  const { id, run, attempt, atMs: endedAtMs, startedAtMs = null } = event;
  const failure = JSON.stringify(event.failure);
  const tie = crc32(`${startedAtMs}\0${endedAtMs}\0${failure}`);
  return { id, run, attempt, rank, tie, outcome, startedAtMs, endedAtMs, failure };
}

function join<Row>(rows: Map<string, Row>, key: string, row: Row, merge: (a: Row, b: Row) => Row): void {
  const known = rows.get(key);
  rows.set(key, known === undefined ? row : merge(known, row));
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return compare(a.id, b.id);
}

function compareProgress(a: JobRow, b: JobRow): number {
  return (
    a.progressPosition - b.progressPosition ||
    (a.percent ?? 0) - (b.percent ?? 0) ||
    compareTexts(a.note ?? '', b.note ?? '')
  );
}

/** By their bytes, as both databases do: by UTF-16 units some characters stand in another order. */
function compareTexts(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function compare<Value extends string | number>(a: Value, b: Value): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function greater<Value extends string | number>(a: Value | null, b: Value | null): Value | null {
  if (a === null) return b;
  return b === null || a > b ? a : b;
}

function unknownKind(kind: never): Error {
  return new Error(`no event is of kind ${String(kind)}`);
}
