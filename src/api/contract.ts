/** The wire contract of the HTTP interface: schemas that validate, the types inferred from them, and the error codes. */
import Type, { type Static } from 'typebox';
import { jobTypePattern, lanes, queueNamePattern } from '../job/job.js';

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
  payload_too_large: 413,
  unsupported_media_type: 415,
  unknown_job_type: 422,
  unknown_queue: 422,
  invalid_payload: 422,
  invalid_job: 422,
  queue_full: 429,
  internal_error: 500,
  broker_unavailable: 503,
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
}

export const scopes = ['submit', 'read', 'operate'] as const;
export type Scope = (typeof scopes)[number];
