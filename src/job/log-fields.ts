/** What a log line about a job says of it, the same in every process: one greps for `job`, or for `traceId`. */
import { type Job, traceIdOf } from './job.js';

export interface JobLogFields {
  /** Its id. */
  readonly job: string;
  readonly type: string;
  readonly queue: string;
  readonly run: number;
  readonly attempt: number;
  readonly traceId?: string;
}

export function logFieldsOf({ id, type, queue, run, attempt, traceparent }: Job): JobLogFields {
  const fields = { job: id, type, queue, run, attempt };
  return traceparent === undefined ? fields : { ...fields, traceId: traceIdOf(traceparent) };
}
