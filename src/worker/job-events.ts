/** What the worker says of a job, as events. A dead letter needs none: it is its own. Pure. */
import { aboutJob, type JobEvent } from '../job/event.js';
import type { Job } from '../job/job.js';
import type { Decision } from './decision.js';
import type { ResultText } from './result.js';

/** In one piece, as `succeeded` below: there is one of each job. */
export function started(job: Job, atMs: number): JobEvent {
  const { id, type, queue, lane, run, attempt, dueAtMs } = job;
  return { id, type, queue, lane, run, attempt, dueAtMs, atMs, kind: 'started' };
}

export interface Progress {
  /** Counts from 1 within the attempt. */
  readonly step: number;
  readonly percent: number;
  readonly note: string | undefined;
}

export function progressed(job: Job, { step, percent, note }: Progress, atMs: number): JobEvent {
  return { ...aboutJob(job, atMs), kind: 'progressed', step, percent, ...(note !== undefined && { note }) };
}

/** How an attempt ended, or undefined when nothing is to be said of it: it was aborted, or the dead letter says it all. */
export function ended(
  job: Job,
  decision: Decision,
  atMs: number,
  resultOf: (value: unknown) => ResultText,
): JobEvent | undefined {
  if (decision.kind === 'aborted') return undefined;
  const { outcome, startedAtMs } = decision;
  switch (outcome.kind) {
    case 'succeeded': {
      const { result, cutFrom } = resultOf(outcome.result);
      const { kind } = outcome;
      const begunAtMs = startedAtMs ?? atMs;
      if (result === undefined) return { ...aboutJob(job, atMs), kind, startedAtMs: begunAtMs };
      if (cutFrom !== undefined)
        return { ...aboutJob(job, atMs), kind, startedAtMs: begunAtMs, result, cutFrom };
      // The commonest of all events is made in one piece: one that is spread is copied with each field added to it.
      const { id, type, queue, lane, run, attempt, dueAtMs } = job;
      return { id, type, queue, lane, run, attempt, dueAtMs, atMs, kind, startedAtMs: begunAtMs, result };
    }
    case 'retried':
      return {
        ...aboutJob(job, atMs),
        kind: 'retried',
        startedAtMs: startedAtMs ?? atMs,
        nextDueAtMs: atMs + outcome.delayMs,
        failure: outcome.failure,
      };
    case 'cancelled':
      return {
        ...aboutJob(job, atMs),
        kind: 'cancelled',
        ...(startedAtMs !== undefined && { startedAtMs }),
        failure: outcome.failure,
        payload: job.body.toString('utf8'),
      };
    case 'dead':
      return undefined;
  }
}
