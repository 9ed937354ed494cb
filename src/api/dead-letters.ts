/** The wire contract of `/v1/dead-letters`. */
import type { Static } from 'typebox';
import { jobTypePattern, queueNamePattern } from '../job/job.js';
import { Type } from '../runtime/typebox.js';
import { defaultRatePerSecond } from './constants.js';
import { JobSummary } from './contract.js';

const closed = { additionalProperties: false };
const time = Type.String({ format: 'date-time' });
const count = Type.Integer({ minimum: 0 });
const counted = (description: string) => Type.Integer({ minimum: 0, description });

/** Which dead jobs are meant; every field narrows. `{}` means all of them. */
export const DeadLetterFilter = Type.Object(
  {
    ids: Type.Optional(Type.Array(Type.String({ format: 'uuid' }), { minItems: 1, maxItems: 1000 })),
    group: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'An error fingerprint.' })),
    type: Type.Optional(Type.String({ pattern: jobTypePattern })),
    queue: Type.Optional(Type.String({ pattern: queueNamePattern })),
    before: Type.Optional(Type.String({ format: 'date-time', description: 'Died before.' })),
  },
  { ...closed, description: 'Which dead jobs are meant; every field narrows. `{}` means all of them.' },
);
export type DeadLetterFilter = Static<typeof DeadLetterFilter>;

const dryRun = Type.Optional(Type.Boolean({ description: 'Only count.' }));

/** Body of `POST /v1/dead-letters/replay`. `filter` must be there: what is meant for one group must not hit all by a slip. */
export const ReplayRequest = Type.Object(
  {
    filter: DeadLetterFilter,
    ratePerSecond: Type.Optional(
      Type.Number({
        minimum: 0.01,
        maximum: 10_000,
        default: defaultRatePerSecond,
        description: 'Jobs per second.',
      }),
    ),
    dryRun,
  },
  closed,
);
export type ReplayRequest = Static<typeof ReplayRequest>;

/** Body of `POST /v1/dead-letters/discard`. */
export const DiscardRequest = Type.Object({ filter: DeadLetterFilter, dryRun }, closed);
export type DiscardRequest = Static<typeof DiscardRequest>;

/** A replay or discard of many, carried out by the recorder. */
export const RedriveView = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    kind: Type.Enum(['replay', 'discard']),
    state: Type.Enum(['running', 'done', 'stopped', 'halted'], {
      description: '`stopped` by a person; `halted` by itself, because failures came back.',
    }),
    reason: Type.Union([Type.String(), Type.Null()], { description: 'Why it halted.' }),
    filter: DeadLetterFilter,
    ratePerSecond: Type.Union([Type.Number(), Type.Null()]),
    matched: counted('When it began.'),
    done: counted('Replayed, or discarded.'),
    skipped: counted('Could not be: no payload is kept, or it was dead no more.'),
    failedAgain: counted('Replayed and dead again.'),
    createdAt: time,
    updatedAt: time,
    endedAt: Type.Union([time, Type.Null()]),
  },
  closed,
);
export type RedriveView = Static<typeof RedriveView>;

/** The 202 of replay and discard; `id` is null for a dry run. */
export const RedriveAccepted = Type.Object(
  {
    id: Type.Union([Type.String({ format: 'uuid' }), Type.Null()], { description: 'Null for a dry run.' }),
    matched: counted('Dead jobs that are meant.'),
    links: Type.Optional(Type.Object({ self: Type.String(), stop: Type.String() }, closed)),
  },
  closed,
);
export type RedriveAccepted = Static<typeof RedriveAccepted>;

export const DeadLetterGroup = Type.Object(
  {
    group: Type.String({ description: 'The error fingerprint.' }),
    count,
    firstAt: time,
    lastAt: time,
    example: Type.Object(
      {
        id: Type.String(),
        type: Type.String(),
        queue: Type.String(),
        name: Type.String(),
        message: Type.String(),
      },
      closed,
    ),
  },
  closed,
);
export type DeadLetterGroup = Static<typeof DeadLetterGroup>;

/** `GET /v1/dead-letters`. */
export const DeadLetterPage = Type.Object(
  {
    total: counted('Of all that match, as the groups.'),
    groups: Type.Array(DeadLetterGroup, { description: 'By error, the largest first, at most 100.' }),
    items: Type.Array(JobSummary, { description: 'Newest jobs first; their errors without stacks.' }),
    next: Type.Union([Type.String(), Type.Null()], {
      description:
        'The `cursor` of the page after, or null on the last one; one before it can be short or empty.',
    }),
  },
  closed,
);
export type DeadLetterPage = Static<typeof DeadLetterPage>;

/** `GET /v1/dead-letters/replays`: replays and discards, newest first. */
export const RedriveList = Type.Object(
  { replays: Type.Array(RedriveView, { description: 'Replays and discards, newest first.' }) },
  closed,
);
export type RedriveList = Static<typeof RedriveList>;
