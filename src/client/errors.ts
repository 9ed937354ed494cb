/** What can go wrong, one class per reaction. Whatever ends by the caller's own signal throws that signal's reason instead. */
import type { ErrorCode, JobAnswer, Problem } from '../api/contract.js';

/** The server has answered, and not as was wished. */
export class SluiceHttpError extends Error {
  readonly status: number;
  /** `unexpected_answer`: it was no Sluice server that answered, or the address leads elsewhere. */
  readonly code: ErrorCode | 'unexpected_answer';
  /** One sentence that says what to do. */
  readonly detail: string;
  /** When to come back, where the answer says so. */
  readonly retryAfterMs: number | undefined;
  /** The whole answer: some carry more, such as the `state` that forbids an order. Empty for an `unexpected_answer`. */
  readonly problem: Readonly<Partial<Problem> & Record<string, unknown>>;
  /** What was asked may have been done all the same: the answer does not say. */
  readonly isOutcomeUnknown: boolean;

  constructor(given: Omit<SluiceHttpError, keyof Error>) {
    super(`${given.status} ${given.code}: ${given.detail}`);
    this.name = 'SluiceHttpError';
    this.status = given.status;
    this.code = given.code;
    this.detail = given.detail;
    this.retryAfterMs = given.retryAfterMs;
    this.problem = given.problem;
    this.isOutcomeUnknown = given.isOutcomeUnknown;
  }
}

/** No answer came. `cause` is what `fetch` has thrown. */
export class SluiceConnectionError extends Error {
  /** `unreachable`: nothing was sent. `no_answer`: it may have been done. Browsers do not tell: there it is always `no_answer`. */
  readonly code: 'unreachable' | 'no_answer';

  constructor(code: SluiceConnectionError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SluiceConnectionError';
    this.code = code;
  }
}

/** The time of a `wait` is over, and the job has not ended. It goes on: wait again, or cancel it. */
export class SluiceWaitTimeout extends Error {
  readonly code = 'wait_timeout';
  /** As it was seen last; undefined where no answer came in that time. */
  readonly job: JobAnswer | undefined;

  constructor(timeoutMs: number, job: JobAnswer | undefined) {
    const state = job === undefined ? '' : `: it is ${job.state}`;
    super(`the job has not ended within ${timeoutMs} ms${state}`);
    this.name = 'SluiceWaitTimeout';
    this.job = job;
  }
}

/** The job whose `result` was asked for has none: it died, was cancelled or discarded, or its result was too long to be kept whole. */
export class SluiceJobFailed extends Error {
  readonly code = 'job_failed';
  readonly job: JobAnswer;

  constructor(job: JobAnswer) {
    super(`job ${job.id} ${reasonOf(job)}`);
    this.name = 'SluiceJobFailed';
    this.job = job;
  }
}

function reasonOf({ state, resultTruncated, error }: JobAnswer): string {
  if (resultTruncated) return 'succeeded, but its result is longer than RESULT_MAX_BYTES and was cut';
  return `is ${state}${error === undefined ? '' : `: ${error.name}: ${error.message}`}`;
}
