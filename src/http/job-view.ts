/** From what is known of a job to the JSON that people read. */
import type { JobSummary } from '../api/contract.js';
import { type AttemptRow, type JobRow, progressOf } from '../job/fold.js';
import { acceptedAtMs, traceIdOf } from '../job/job.js';
import { displayedState, hasEnded } from '../job/state.js';
import type { RecentJob } from './recent.js';

/** A job as the store has it, or as this process remembers to have begun it. */
export interface KnownJob {
  readonly row: JobRow;
  readonly isRecorded: boolean;
  readonly attempts: readonly AttemptRow[];
  readonly payload: string | undefined;
}

/** The row of a run that has just begun. */
export function rowOfRecent(job: RecentJob): JobRow {
  return {
    id: job.id,
    type: job.type,
    queue: job.queue,
    lane: job.lane,
    isAccepted: true,
    maxAttempts: job.maxAttempts ?? null,
    timeoutMs: null,
    expiresAtMs: job.expiresAtMs ?? null,
    traceId: job.traceparent === undefined ? null : traceIdOf(job.traceparent),
    position: 0,
    tie: 0,
    state: job.dueAtMs > acceptedAtMs(job) && job.run === 1 ? 'scheduled' : 'queued',
    run: job.run,
    attempt: job.attempt,
    dueAtMs: job.dueAtMs,
    startedAtMs: null,
    finishedAtMs: null,
    result: null,
    resultCutFrom: null,
    reason: null,
    failure: null,
    errorGroup: null,
    progressPosition: 0,
    percent: null,
    note: null,
  };
}

export function summaryOf(row: JobRow, nowMs: number): JobSummary {
  const state = displayedState(row, nowMs);
  const progress = progressOf(row);
  return {
    id: row.id,
    type: row.type,
    queue: row.queue,
    priority: row.lane,
    state,
    run: row.run,
    attempt: row.attempt,
    ...(row.maxAttempts === null ? {} : { maxAttempts: row.maxAttempts }),
    acceptedAt: isoOf(acceptedAtMs(row)),
    dueAt: isoOf(row.dueAtMs),
    ...(row.startedAtMs === null ? {} : { startedAt: isoOf(row.startedAtMs) }),
    ...(row.finishedAtMs === null ? {} : { finishedAt: isoOf(row.finishedAtMs) }),
    ...(row.expiresAtMs === null ? {} : { expiresAt: isoOf(row.expiresAtMs) }),
    ...(progress === null
      ? {}
      : {
          progress: { percent: progress.percent, ...(progress.note === null ? {} : { note: progress.note }) },
        }),
    ...(row.failure === null ? {} : { error: JSON.parse(row.failure) }),
    ...(row.reason === null ? {} : { deathReason: row.reason }),
    ...(row.errorGroup === null ? {} : { errorGroup: row.errorGroup }),
    ...(row.traceId === null ? {} : { traceId: row.traceId }),
  };
}

/** One of a list: its errors without their stacks, which can be as large as all the rest. */
export function listedOf(row: JobRow, nowMs: number): JobSummary {
  const { error, ...summary } = summaryOf(row, nowMs);
  if (error === undefined) return summary;
  const { stack: _, ...short } = error;
  return { ...summary, error: short };
}

/** `JobAnswer` as text. Result and payload go in as they are written: parsing and printing them again would round large numbers. */
export function jobJson(known: KnownJob, nowMs: number, cancelRequestedAtMs: number | undefined): string {
  const { row, isRecorded, attempts, payload } = known;
  const rest = {
    ...summaryOf(row, nowMs),
    recorded: isRecorded,
    ...(cancelRequestedAtMs === undefined || hasEnded(row.state)
      ? {}
      : { cancelRequestedAt: isoOf(cancelRequestedAtMs) }),
    ...(row.resultCutFrom === null ? {} : { resultTruncated: true, resultBytes: row.resultCutFrom }),
    attempts: attempts.map(({ run, attempt, outcome, startedAtMs, endedAtMs, failure }) => ({
      run,
      attempt,
      outcome,
      ...(startedAtMs === null ? {} : { startedAt: isoOf(startedAtMs) }),
      endedAt: isoOf(endedAtMs),
      error: JSON.parse(failure),
    })),
  };
  const result = row.result === null ? '' : `,"result":${whole(row.result, row.resultCutFrom === null)}`;
  const given = payload === undefined ? '' : `,"payload":${whole(payload, true)}`;
  return `${JSON.stringify(rest).slice(0, -1)}${result}${given}}`;
}

/** JSON text as it is; what was cut, or never was JSON, as a string. */
function whole(text: string, isUncut: boolean): string {
  return isUncut && isJson(text) ? text : JSON.stringify(text);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

export function isoOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
