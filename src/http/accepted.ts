/** Tells the read side of each job that was accepted. */
import type { JobEvent } from '../job/event.js';
import { acceptedAtMs, type Job, traceIdOf, type Writable } from '../job/job.js';

type AcceptedEvent = Extract<JobEvent, { kind: 'accepted' }>;

/** For `HttpObserver.accepted`. On the hot route: what a job does not have costs it nothing. */
export function createAcceptedEvents(options: {
  readonly tell: (event: JobEvent) => void;
  /** Whether the payload goes along (RECORD_PAYLOAD). */
  readonly recordPayload: boolean;
}): (job: Job, isAgain?: true) => void {
  const { tell, recordPayload } = options;
  return (job, isAgain) => {
    const { id, type, queue, lane, run, attempt, dueAtMs } = job;
    const event: Writable<AcceptedEvent> = {
      kind: 'accepted',
      id,
      type,
      queue,
      lane,
      run,
      attempt,
      dueAtMs,
      atMs: acceptedAtMs(job),
    };
    if (job.maxAttempts !== undefined) event.maxAttempts = job.maxAttempts;
    if (job.timeoutMs !== undefined) event.timeoutMs = job.timeoutMs;
    if (job.expiresAtMs !== undefined) event.expiresAtMs = job.expiresAtMs;
    if (job.traceparent !== undefined) event.traceId = traceIdOf(job.traceparent);
    if (recordPayload) event.payload = job.body.toString('utf8');
    if (isAgain) event.isAgain = true;
    tell(event);
  };
}
