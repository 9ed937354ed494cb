/** Rows of the tables as the rows of job/fold. */
import type { AttemptRow, JobRow } from '../job/fold.js';
import type { Lane } from '../job/job.js';
import type { DeathReason } from '../job/outcome.js';
import type { State } from '../job/state.js';
import type { AttemptsTable, JobsTable } from './tables.js';

export const jobColumns = [
  'id',
  'type',
  'queue',
  'lane',
  'is_accepted',
  'max_attempts',
  'timeout_ms',
  'expires_at_ms',
  'trace_id',
  'position',
  'tie',
  'state',
  'run',
  'attempt',
  'due_at_ms',
  'started_at_ms',
  'finished_at_ms',
  'result',
  'result_cut_from',
  'reason',
  'failure',
  'error_group',
  'progress_position',
  'percent',
  'note',
] as const satisfies readonly (keyof JobsTable)[];

export type StoredJob = Pick<JobsTable, (typeof jobColumns)[number]>;

export function jobOf(stored: StoredJob): JobRow {
  return {
    id: stored.id,
    type: stored.type,
    queue: stored.queue,
    lane: stored.lane as Lane,
    isAccepted: stored.is_accepted === 1,
    maxAttempts: stored.max_attempts,
    timeoutMs: stored.timeout_ms,
    expiresAtMs: stored.expires_at_ms,
    traceId: stored.trace_id,
    position: stored.position,
    tie: stored.tie,
    state: stored.state as State,
    run: stored.run,
    attempt: stored.attempt,
    dueAtMs: stored.due_at_ms,
    startedAtMs: stored.started_at_ms,
    finishedAtMs: stored.finished_at_ms,
    result: stored.result,
    resultCutFrom: stored.result_cut_from,
    reason: stored.reason as DeathReason | null,
    failure: stored.failure,
    errorGroup: stored.error_group,
    progressPosition: stored.progress_position,
    percent: stored.percent,
    note: stored.note,
  };
}

export function attemptOf(stored: AttemptsTable): AttemptRow {
  return {
    id: stored.id,
    run: stored.run,
    attempt: stored.attempt,
    rank: stored.rank,
    tie: stored.tie,
    outcome: stored.outcome as AttemptRow['outcome'],
    startedAtMs: stored.started_at_ms,
    endedAtMs: stored.ended_at_ms,
    failure: stored.failure,
  };
}
