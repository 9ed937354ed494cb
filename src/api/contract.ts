/** The wire contract of the HTTP interface: schemas that validate, the types inferred from them, and the error codes. */
import type { Static } from 'typebox';
import { jobTypePattern, lanes, queueNamePattern } from '../job/job.js';
import type { DeathReason } from '../job/outcome.js';
import { states } from '../job/state.js';
import { Type } from '../runtime/typebox.js';

/** What the delay levels can hold, in ms; `runAt` is held to it as well. */
export const longestDelayMs = 310 * 86_400_000;

const closed = { additionalProperties: false };
const uuid = (description: string) => Type.String({ format: 'uuid', description });
/** ISO 8601 in UTC, with milliseconds. */
const moment = (description: string) => Type.String({ format: 'date-time', description });

/** Body of `POST /v1/jobs` and an item of a batch. `delayMs` and `runAt` exclude each other (checked in code). */
export const JobRequest = Type.Object(
  {
    type: Type.String({ pattern: jobTypePattern, description: 'Which handler; one of the known job types.' }),
    payload: Type.Unknown({ description: "Any JSON that fits the handler's schema." }),
    queue: Type.Optional(
      Type.String({ pattern: queueNamePattern, description: "A known queue; default: the handler's." }),
    ),
    priority: Type.Optional(
      Type.Enum([...lanes], { description: 'Default `normal`. High goes first, low is never starved.' }),
    ),
    delayMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: longestDelayMs,
        description: 'Not before so many ms from now; 310 days at most. Not together with `runAt`.',
      }),
    ),
    runAt: Type.Optional(
      Type.String({
        format: 'date-time',
        description:
          'Not before this moment, ISO 8601 with an offset, at most 310 days ahead; a moment in the past means now. Not together with `delayMs`.',
      }),
    ),
    expiresAt: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'Not started after this moment: the job goes to the dead letters instead.',
      }),
    ),
    maxAttempts: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        description: "Attempts, the first included; default: the handler's, else the setting's.",
      }),
    ),
    timeoutMs: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 86_400_000,
        description: "Time limit of one attempt; default: the handler's, else the setting's.",
      }),
    ),
  },
  closed,
);
export type JobRequest = Static<typeof JobRequest>;

/** `Idempotency-Key`: the header of a single job, and the field of an item. */
export const idempotencyKeyPattern = '^[\\x21-\\x7e]{1,255}$';

/** An item of `POST /v1/jobs/batch`. */
export const BatchItem = Type.Object(
  {
    ...JobRequest.properties,
    idempotencyKey: Type.Optional(
      Type.String({
        pattern: idempotencyKeyPattern,
        description:
          'Makes one job of the same item however often it is sent, as the header does of a single job.',
      }),
    ),
  },
  closed,
);

const durability = Type.Enum(['quorum', 'disk'], {
  description: '`quorum`: replicated by RabbitMQ. `disk`: synced to the disk of this machine.',
});
const jobLinks = Type.Object({ self: Type.String(), cancel: Type.String() }, closed);

/** The 202 of `POST /v1/jobs`: sent after the broker has confirmed the job. */
export const Accepted = Type.Object(
  {
    id: uuid('Of the job: a UUID of version 7.'),
    type: Type.String(),
    queue: Type.String(),
    state: Type.Enum(['queued', 'scheduled']),
    acceptedAt: moment('When it was accepted.'),
    durability,
    links: jobLinks,
  },
  closed,
);
export type Accepted = Static<typeof Accepted>;

/** What is told of an error: as the handler threw it, its texts cut to a bounded length. */
const ErrorAnswer = Type.Object(
  {
    name: Type.String(),
    message: Type.String(),
    code: Type.Optional(Type.String()),
    stack: Type.Optional(Type.String()),
  },
  { ...closed, description: 'The error as the handler threw it; its texts are cut to a bounded length.' },
);

const deathReasons = [
  'permanent',
  'exhausted',
  'expired',
  'undecodable',
  'delivery_limit',
] as const satisfies readonly DeathReason[];

const jobFields = {
  id: uuid('A UUID of version 7; its first 48 bits are the time of acceptance.'),
  type: Type.String(),
  queue: Type.String(),
  priority: Type.Enum([...lanes]),
  state: Type.Enum([...states]),
  run: Type.Integer({ minimum: 1, description: 'Counts from 1; one more per replay.' }),
  attempt: Type.Integer({ minimum: 1, description: 'Counts from 1 within a run.' }),
  maxAttempts: Type.Optional(Type.Integer({ minimum: 1 })),
  acceptedAt: moment('When the job was accepted.'),
  dueAt: moment('When this attempt may begin, or might.'),
  startedAt: Type.Optional(moment('When this attempt began.')),
  finishedAt: Type.Optional(moment('When the run ended.')),
  expiresAt: Type.Optional(moment('Not started after this moment.')),
  progress: Type.Optional(
    Type.Object(
      { percent: Type.Number({ minimum: 0, maximum: 100 }), note: Type.Optional(Type.String()) },
      { ...closed, description: 'As the handler reported it last.' },
    ),
  ),
  /** Of the attempt that failed last, in this run. */
  error: Type.Optional(ErrorAnswer),
  deathReason: Type.Optional(Type.Enum([...deathReasons], { description: 'Why a dead job died.' })),
  errorGroup: Type.Optional(
    Type.String({ description: 'Dead jobs with the same one failed in the same way.' }),
  ),
  traceId: Type.Optional(Type.String({ description: 'Of the `traceparent` it came with.' })),
};

/** One of `GET /v1/jobs`. What a job does not have is left out. */
export const JobSummary = Type.Object(jobFields, closed);
export type JobSummary = Static<typeof JobSummary>;

/**
 * `GET /v1/jobs`, newest first; `next` is the `cursor` of the page after, or null on the last one. Of a rare type or queue a page can be
 * short or empty before the last: it looks at so many jobs and no more.
 */
export const JobPage = Type.Object(
  {
    jobs: Type.Array(JobSummary, { description: 'Newest first.' }),
    next: Type.Union([Type.String(), Type.Null()], {
      description:
        'The `cursor` of the page after, or null on the last one. Narrowed to a rare type or queue, a page before the last can be short or empty.',
    }),
  },
  closed,
);
export type JobPage = Static<typeof JobPage>;

/** `GET /v1/jobs/:id`. What a job does not have is left out. */
export const JobAnswer = Type.Object(
  {
    ...jobFields,
    recorded: Type.Boolean({
      description:
        'False: accepted by this server a moment ago and not in the store yet, so its state may be further on.',
    }),
    cancelRequestedAt: Type.Optional(
      moment('Somebody has asked to cancel this run, which has not ended yet.'),
    ),
    result: Type.Optional(
      Type.Unknown({
        description:
          'What the handler returned; the beginning of its JSON text as a string when `resultTruncated`.',
      }),
    ),
    resultTruncated: Type.Optional(Type.Literal(true)),
    resultBytes: Type.Optional(
      Type.Integer({ description: 'Size of the whole result, when it was truncated.' }),
    ),
    payload: Type.Optional(
      Type.Unknown({ description: 'Kept for dead and cancelled jobs, or for all with RECORD_PAYLOAD.' }),
    ),
    attempts: Type.Array(
      Type.Object(
        {
          run: Type.Integer({ minimum: 1 }),
          attempt: Type.Integer({ minimum: 1 }),
          outcome: Type.Enum(['retried', 'dead', 'cancelled']),
          startedAt: Type.Optional(moment('When it began.')),
          endedAt: moment('When it failed.'),
          error: ErrorAnswer,
        },
        closed,
      ),
      { description: 'Those that failed, of all runs, in their order.' },
    ),
  },
  closed,
);
export type JobAnswer = Static<typeof JobAnswer>;

/** The 202 of `POST /v1/jobs/:id/cancel`: the order holds; whether the job ends as cancelled, its worker says. */
export const CancelAnswer = Type.Object(
  {
    id: uuid('Of the job.'),
    run: Type.Integer({ minimum: 1, description: 'The run that is to end.' }),
    cancelRequestedAt: moment('When it was asked for first.'),
    links: Type.Object({ self: Type.String() }, closed),
  },
  closed,
);
export type CancelAnswer = Static<typeof CancelAnswer>;

/** The optional body of `POST /v1/jobs/:id/replay`. */
export const ReplayRequest = Type.Object(
  { payload: Type.Optional(Type.Unknown({ description: "Instead of the job's own payload." })) },
  closed,
);

/** The 202 of `POST /v1/jobs/:id/replay`: the broker has confirmed the new run. */
export const ReplayAnswer = Type.Object(
  {
    id: uuid('Of the job: it keeps its id.'),
    type: Type.String(),
    queue: Type.String(),
    state: Type.Literal('queued'),
    run: Type.Integer({ minimum: 2, description: 'The run that has begun.' }),
    durability,
    links: jobLinks,
  },
  closed,
);
export type ReplayAnswer = Static<typeof ReplayAnswer>;

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
export const Problem = Type.Object({
  type: Type.Literal('about:blank'),
  title: Type.String({ description: "The status' own words." }),
  status: Type.Integer({ minimum: 400, maximum: 599 }),
  code: Type.Enum(Object.keys(errorStatus) as ErrorCode[], { description: 'Stable: decide by it.' }),
  detail: Type.String({ description: 'For people: what is wrong, and what to do.' }),
  id: Type.Optional(uuid('The job whose outcome is unknown.')),
  state: Type.Optional(Type.String({ description: 'Of a `conflict`: the state that forbids it.' })),
});
export type Problem = Static<typeof Problem>;

/** The answer of `POST /v1/jobs/batch`; `ids[i]` belongs to item i and is null where it was not accepted. */
export const BatchAnswer = Type.Object(
  {
    accepted: Type.Integer({ minimum: 0 }),
    rejected: Type.Integer({ minimum: 0 }),
    ids: Type.Array(Type.Union([Type.String({ format: 'uuid' }), Type.Null()]), {
      description: '`ids[i]` is of item i; null where it was not accepted.',
    }),
    errors: Type.Array(
      Type.Object(
        { index: Type.Integer({ minimum: 0 }), code: Problem.properties.code, detail: Type.String() },
        closed,
      ),
      { description: 'One for each item that was not accepted, by index.' },
    ),
  },
  closed,
);
export type BatchAnswer = Static<typeof BatchAnswer>;

/** The 422 or 503 of `POST /v1/jobs/batch`, when no item was accepted: a problem that tells the items' own faults too. */
export const BatchRefusal = Type.Object({ ...Problem.properties, ...BatchAnswer.properties });
export type BatchRefusal = Static<typeof BatchRefusal>;
