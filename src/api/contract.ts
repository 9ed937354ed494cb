/** The wire contract of the HTTP interface: schemas that validate, the types inferred from them, and the error codes. */
import Type, { type Static } from 'typebox';
import { jobTypePattern, lanes, queueNamePattern } from '../job/job.js';
import type { DeathReason } from '../job/outcome.js';
import { states } from '../job/state.js';

/** What the delay levels can hold, in ms; `runAt` is held to it as well. */
export const longestDelayMs = 310 * 86_400_000;

/** Body of `POST /v1/jobs` and an item of a batch. `delayMs` and `runAt` exclude each other (checked in code). */
export const JobRequest = Type.Object(
  {
    type: Type.String({ pattern: jobTypePattern }),
    payload: Type.Unknown(),
    queue: Type.Optional(Type.String({ pattern: queueNamePattern })),
    priority: Type.Optional(Type.Enum([...lanes])),
    delayMs: Type.Optional(Type.Integer({ minimum: 0, maximum: longestDelayMs })),
    /** ISO 8601 with an offset; a moment in the past means now. */
    runAt: Type.Optional(Type.String({ format: 'date-time' })),
    /** Not started after this moment. */
    expiresAt: Type.Optional(Type.String({ format: 'date-time' })),
    maxAttempts: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400_000 })),
  },
  { additionalProperties: false },
);
export type JobRequest = Static<typeof JobRequest>;

/** `Idempotency-Key`: the header of a single job, and the field of an item. */
export const idempotencyKeyPattern = '^[\\x21-\\x7e]{1,255}$';

/** An item of `POST /v1/jobs/batch`. */
export const BatchItem = Type.Object(
  {
    ...JobRequest.properties,
    idempotencyKey: Type.Optional(Type.String({ pattern: idempotencyKeyPattern })),
  },
  { additionalProperties: false },
);

/** The 202 of `POST /v1/jobs`: sent after the broker has confirmed the job. */
export interface Accepted {
  readonly id: string;
  readonly type: string;
  readonly queue: string;
  readonly state: 'queued' | 'scheduled';
  /** ISO 8601. */
  readonly acceptedAt: string;
  readonly durability: 'quorum' | 'disk';
  readonly links: { readonly self: string; readonly cancel: string };
}

/** The answer of `POST /v1/jobs/batch`; `ids[i]` belongs to item i and is null where it was not accepted. */
export interface BatchAnswer {
  readonly accepted: number;
  readonly rejected: number;
  readonly ids: readonly (string | null)[];
  readonly errors: readonly { readonly index: number; readonly code: ErrorCode; readonly detail: string }[];
}

/** The 422 or 503 of `POST /v1/jobs/batch`, when no item was accepted: a problem that tells the items' own faults too. */
export type BatchRefusal = Problem & BatchAnswer;

/** Moments are ISO 8601 in UTC, with milliseconds. */
const moment = Type.String({ format: 'date-time' });
const closed = { additionalProperties: false };

/** What is told of an error: as the handler threw it, its texts cut to a bounded length. */
const ErrorAnswer = Type.Object(
  {
    name: Type.String(),
    message: Type.String(),
    code: Type.Optional(Type.String()),
    stack: Type.Optional(Type.String()),
  },
  closed,
);

const deathReasons = [
  'permanent',
  'exhausted',
  'expired',
  'undecodable',
  'delivery_limit',
] as const satisfies readonly DeathReason[];

const jobFields = {
  id: Type.String({ format: 'uuid' }),
  type: Type.String(),
  queue: Type.String(),
  priority: Type.Enum([...lanes]),
  state: Type.Enum([...states]),
  /** Counts from 1; one more per replay. */
  run: Type.Integer({ minimum: 1 }),
  /** Counts from 1 within a run. */
  attempt: Type.Integer({ minimum: 1 }),
  maxAttempts: Type.Optional(Type.Integer({ minimum: 1 })),
  acceptedAt: moment,
  /** When this attempt may begin, or might. */
  dueAt: moment,
  startedAt: Type.Optional(moment),
  finishedAt: Type.Optional(moment),
  expiresAt: Type.Optional(moment),
  progress: Type.Optional(
    Type.Object(
      { percent: Type.Number({ minimum: 0, maximum: 100 }), note: Type.Optional(Type.String()) },
      closed,
    ),
  ),
  /** Of the attempt that failed last, in this run. */
  error: Type.Optional(ErrorAnswer),
  /** Why a dead job died. */
  deathReason: Type.Optional(Type.Enum([...deathReasons])),
  /** Dead jobs with the same one failed in the same way. */
  errorGroup: Type.Optional(Type.String()),
  traceId: Type.Optional(Type.String()),
};

/** One of `GET /v1/jobs`. What a job does not have is left out. */
export const JobSummary = Type.Object(jobFields, closed);
export type JobSummary = Static<typeof JobSummary>;

/**
 * `GET /v1/jobs`, newest first; `next` is the `cursor` of the page after, or null on the last one. Of a rare type or queue a page can be
 * short or empty before the last: it looks at so many jobs and no more.
 */
export const JobPage = Type.Object(
  { jobs: Type.Array(JobSummary), next: Type.Union([Type.String(), Type.Null()]) },
  closed,
);
export type JobPage = Static<typeof JobPage>;

/** `GET /v1/jobs/:id`. What a job does not have is left out. */
export const JobAnswer = Type.Object(
  {
    ...jobFields,
    /** False: accepted by this server a moment ago and not in the store yet, so its state may be further on. */
    recorded: Type.Boolean(),
    /** Somebody has asked to cancel this run, which has not ended yet. */
    cancelRequestedAt: Type.Optional(moment),
    /** What the handler returned; the beginning of its JSON as a string when `resultTruncated`. */
    result: Type.Optional(Type.Unknown()),
    resultTruncated: Type.Optional(Type.Literal(true)),
    /** Size of the whole result, when it was truncated. */
    resultBytes: Type.Optional(Type.Integer()),
    /** Kept for dead and cancelled jobs, or for all with RECORD_PAYLOAD. */
    payload: Type.Optional(Type.Unknown()),
    /** Those that failed, of all runs, in their order. */
    attempts: Type.Array(
      Type.Object(
        {
          run: Type.Integer({ minimum: 1 }),
          attempt: Type.Integer({ minimum: 1 }),
          outcome: Type.Enum(['retried', 'dead', 'cancelled']),
          startedAt: Type.Optional(moment),
          endedAt: moment,
          error: ErrorAnswer,
        },
        closed,
      ),
    ),
  },
  closed,
);
export type JobAnswer = Static<typeof JobAnswer>;

/** The 202 of `POST /v1/jobs/:id/cancel`: the order holds; whether the job ends as cancelled, its worker says. */
export const CancelAnswer = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    run: Type.Integer({ minimum: 1 }),
    cancelRequestedAt: moment,
    links: Type.Object({ self: Type.String() }, closed),
  },
  closed,
);
export type CancelAnswer = Static<typeof CancelAnswer>;

/** The optional body of `POST /v1/jobs/:id/replay`. */
export const ReplayRequest = Type.Object({ payload: Type.Optional(Type.Unknown()) }, closed);

/** The 202 of `POST /v1/jobs/:id/replay`: the broker has confirmed the new run. */
export const ReplayAnswer = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    type: Type.String(),
    queue: Type.String(),
    state: Type.Literal('queued'),
    run: Type.Integer({ minimum: 2 }),
    durability: Type.Enum(['quorum', 'disk']),
    links: Type.Object({ self: Type.String(), cancel: Type.String() }, closed),
  },
  closed,
);
export type ReplayAnswer = Static<typeof ReplayAnswer>;

/** The 503 of `GET /readyz`: what is not ready, by name, and why. The 200 is `{"status":"ready"}`. */
export type NotReady = Problem & { readonly reasons: Readonly<Record<string, string>> };

/** Every `code` of an error answer, and its HTTP status. */
export const errorStatus = {
  malformed_json: 400,
  invalid_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  conflict: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  unknown_job_type: 422,
  unknown_queue: 422,
  invalid_payload: 422,
  invalid_job: 422,
  idempotency_conflict: 422,
  queue_full: 429,
  internal_error: 500,
  broker_unavailable: 503,
  store_unavailable: 503,
  overloaded: 503,
  shutting_down: 503,
} as const;
export type ErrorCode = keyof typeof errorStatus;

/** RFC 9457, `application/problem+json`. */
export interface Problem {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  /** The job whose outcome is unknown, or the fields at fault, where they apply. */
  readonly id?: string;
  /** Of a `conflict`: the state that forbids it. */
  readonly state?: string;
}
