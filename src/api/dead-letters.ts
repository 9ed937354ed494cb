/** The wire contract of `/v1/dead-letters`. */
import Type, { type Static } from 'typebox';
import { jobTypePattern, queueNamePattern } from '../job/job.js';
import { JobSummary } from './contract.js';

const time = Type.String({ format: 'date-time' });
const count = Type.Integer({ minimum: 0 });

/** Which dead jobs are meant; every field narrows. `{}` means all of them. */
export const DeadLetterFilter = Type.Object(
  {
    ids: Type.Optional(Type.Array(Type.String({ format: 'uuid' }), { minItems: 1, maxItems: 1000 })),
    /** Error fingerprint. */
    group: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    type: Type.Optional(Type.String({ pattern: jobTypePattern })),
    queue: Type.Optional(Type.String({ pattern: queueNamePattern })),
    /** Died before. */
    before: Type.Optional(time),
  },
  { additionalProperties: false },
);
export type DeadLetterFilter = Static<typeof DeadLetterFilter>;

/** Body of `POST /v1/dead-letters/replay`. `filter` must be there: what is meant for one group must not hit all by a slip. */
export const ReplayRequest = Type.Object(
  {
    filter: DeadLetterFilter,
    /** Jobs per second, default 10. */
    ratePerSecond: Type.Optional(Type.Number({ minimum: 0.01, maximum: 10_000 })),
    /** Only count. */
    dryRun: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type ReplayRequest = Static<typeof ReplayRequest>;

/** Body of `POST /v1/dead-letters/discard`. */
export const DiscardRequest = Type.Object(
  { filter: DeadLetterFilter, dryRun: Type.Optional(Type.Boolean()) },
  { additionalProperties: false },
);
export type DiscardRequest = Static<typeof DiscardRequest>;

/** A replay or discard of many, carried out by the recorder. */
export const RedriveView = Type.Object({
  id: Type.String({ format: 'uuid' }),
  kind: Type.Enum(['replay', 'discard']),
  /** `stopped` by a person; `halted` by itself, because failures came back. */
  state: Type.Enum(['running', 'done', 'stopped', 'halted']),
  reason: Type.Union([Type.String(), Type.Null()]),
  filter: DeadLetterFilter,
  ratePerSecond: Type.Union([Type.Number(), Type.Null()]),
  /** When it began. */
  matched: count,
  /** Replayed, or discarded. */
  done: count,
  /** Could not be: no payload is kept, or it was dead no more. */
  skipped: count,
  /** Replayed and dead again. */
  failedAgain: count,
  createdAt: time,
  updatedAt: time,
  endedAt: Type.Union([time, Type.Null()]),
});
export type RedriveView = Static<typeof RedriveView>;

/** The 202 of replay and discard; `id` is null for a dry run. */
export const RedriveAccepted = Type.Object({
  id: Type.Union([Type.String({ format: 'uuid' }), Type.Null()]),
  matched: count,
  links: Type.Optional(Type.Object({ self: Type.String(), stop: Type.String() })),
});
export type RedriveAccepted = Static<typeof RedriveAccepted>;

export const DeadLetterGroup = Type.Object({
  group: Type.String(),
  count,
  firstAt: time,
  lastAt: time,
  example: Type.Object({
    id: Type.String(),
    type: Type.String(),
    queue: Type.String(),
    name: Type.String(),
    message: Type.String(),
  }),
});
export type DeadLetterGroup = Static<typeof DeadLetterGroup>;

/** `GET /v1/dead-letters`. */
export const DeadLetterPage = Type.Object({
  /** Of all that match, as the groups. */
  total: count,
  /** By error, the largest first, at most 100. */
  groups: Type.Array(DeadLetterGroup),
  /** Newest jobs first. */
  items: Type.Array(JobSummary),
  /** `cursor` of the page after, or null on the last one; one before it can be short or empty. */
  next: Type.Union([Type.String(), Type.Null()]),
});
export type DeadLetterPage = Static<typeof DeadLetterPage>;

/** `GET /v1/dead-letters/replays`: replays and discards, newest first. */
export const RedriveList = Type.Object({ replays: Type.Array(RedriveView) });
export type RedriveList = Static<typeof RedriveList>;
