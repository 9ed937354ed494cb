/** The one place where an error becomes an HTTP answer: code to status, error to problem+json (RFC 9457). */
import { STATUS_CODES } from 'node:http';
import { type ErrorCode, errorStatus, type Problem } from '../api/contract.js';
import {
  Invalid,
  OutcomeUnknown,
  Refused,
  SluiceError,
  StoreUnavailable,
  Unavailable,
} from '../job/errors.js';

/** What a client is told when it should come back, in seconds, unless the error knows better. */
const RETRY_AFTER_S = 1;

/** A request that gets an answer other than a 2xx: `code` decides the status, the message becomes `detail`. */
export class Rejection extends SluiceError {
  declare readonly code: ErrorCode;
  /** Headers of the answer, such as `Allow`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Members added to the problem, such as the id of a job whose outcome is unknown. */
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    detail: string,
    options: ErrorOptions & { headers?: Record<string, string>; extra?: object } = {},
  ) {
    super(code, detail, options);
    this.headers = options.headers ?? {};
    this.extra = { ...options.extra };
  }
}

/** The client went away before it was answered: there is nobody to send a problem to. */
export class ClientGone extends Error {
  constructor(options?: ErrorOptions) {
    super('the client closed the connection before its request was complete', options);
    this.name = 'ClientGone';
  }
}

export interface ProblemAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly problem: Problem;
}

/** Maps whatever was thrown to a Rejection. What we did not foresee is `internal_error` and tells nothing of its cause. */
export function rejectionOf(error: unknown): Rejection {
  if (error instanceof Rejection) return error;
  const cause = { cause: error };
  if (error instanceof Invalid) {
    const isOurs = Object.hasOwn(errorStatus, error.code) && errorStatus[error.code as ErrorCode] === 422;
    return new Rejection(isOurs ? (error.code as ErrorCode) : 'invalid_job', error.message, cause);
  }
  if (error instanceof Refused) {
    const seconds = Math.max(RETRY_AFTER_S, Math.ceil(error.retryAfterMs / 1000));
    const code = error.code === 'queue_full' ? 'queue_full' : 'overloaded';
    return new Rejection(code, error.message, { ...cause, headers: { 'Retry-After': String(seconds) } });
  }
  if (error instanceof StoreUnavailable) return new Rejection('store_unavailable', error.message, cause);
  if (error instanceof Unavailable) return new Rejection('broker_unavailable', error.message, cause);
  if (error instanceof OutcomeUnknown) {
    return new Rejection('broker_unavailable', `outcome unknown: ${error.message}`, cause);
  }
  return new Rejection(
    'internal_error',
    'an unexpected error; the log tells it under this X-Request-Id',
    cause,
  );
}

/** A broker's error about one job; an unknown outcome names the job, so that it can be looked for. */
export function rejectionOfPublish(error: unknown, id: string): Rejection {
  if (!(error instanceof OutcomeUnknown)) return rejectionOf(error);
  const detail =
    `outcome unknown: the broker has not answered in time, so job ${id} may or may not be stored; ` +
    'sending it again may run it twice';
  return new Rejection('broker_unavailable', detail, { cause: error, extra: { id } });
}

export function problemOf(rejection: Rejection): ProblemAnswer {
  const status = errorStatus[rejection.code];
  const headers: Record<string, string> = { ...rejection.headers };
  // The client is in the middle of a request that will not be read on (RFC 9110, section 15.5.9).
  if (status === 408) headers['Connection'] = 'close';
  if (status === 429 || status === 503) headers['Retry-After'] ??= String(RETRY_AFTER_S);
  return {
    status,
    headers,
    problem: {
      type: 'about:blank',
      title: STATUS_CODES[status] ?? String(status),
      status,
      code: rejection.code,
      detail: rejection.message,
      ...rejection.extra,
    },
  };
}
