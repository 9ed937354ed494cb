/** The wire contract of `/v1/queues`. */
import type { Static } from 'typebox';
import { queueNamePattern } from '../job/job.js';
import { Type } from '../runtime/typebox.js';

const closed = { additionalProperties: false };
const count = Type.Integer({ minimum: 0 });
const time = Type.String({ format: 'date-time' });
const counted = (description: string) => Type.Integer({ minimum: 0, description });

/** A queue as it stands: rates are means over the last minute, times in ms. */
export const QueueView = Type.Object(
  {
    name: Type.String({ pattern: queueNamePattern }),
    depth: Type.Object(
      { high: count, normal: count, low: count, total: count },
      { ...closed, description: 'Waiting for a worker, as the broker counts it.' },
    ),
    scheduled: counted('Waiting for their time: delayed, or for the next attempt.'),
    active: count,
    dead: count,
    consumers: count,
    oldestAgeMs: Type.Union([count, Type.Null()], {
      description: 'How long the job that waits longest has been due; null when none waits.',
    }),
    acceptedPerSecond: Type.Number({ minimum: 0, description: 'Mean over the last minute.' }),
    drainedPerSecond: Type.Number({
      minimum: 0,
      description: 'Jobs that came to an end; mean over the last minute.',
    }),
    forecast: Type.Object(
      {
        state: Type.Enum(['empty', 'draining', 'growing', 'idle', 'paused'], {
          description:
            '`growing`: more comes than goes. `idle`: nothing moves. Then, and when it is `paused`, there is no telling when.',
        }),
        emptyInMs: Type.Union([count, Type.Null()], {
          description:
            'When the backlog is gone at this pace, in ms from now; null where there is no telling.',
        }),
        emptyAt: Type.Union([time, Type.Null()]),
      },
      closed,
    ),
    isPaused: Type.Boolean(),
    concurrency: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], {
      description: "What an operator has ordered instead of the workers' setting; null: nothing.",
    }),
  },
  closed,
);
export type QueueView = Static<typeof QueueView>;

export const QueueList = Type.Object({ queues: Type.Array(QueueView) }, closed);
export type QueueList = Static<typeof QueueList>;

/** Body of `PATCH /v1/queues/:name`; null goes back to the workers' setting. */
export const QueueChange = Type.Object(
  {
    concurrency: Type.Union([Type.Integer({ minimum: 1, maximum: 10_000 }), Type.Null()], {
      description: "Jobs at a time in every worker of this queue; null goes back to the workers' setting.",
    }),
  },
  closed,
);
export type QueueChange = Static<typeof QueueChange>;

/** The 202 of pause, resume, purge and PATCH: the order is in the store, and all workers are told. */
export const QueueOrdered = Type.Object(
  {
    name: Type.String(),
    isPaused: Type.Boolean(),
    concurrency: Type.Union([Type.Integer(), Type.Null()]),
    purgedThrough: Type.Union([time, Type.Null()], {
      description: 'Jobs that were due by then are cancelled instead of run.',
    }),
  },
  closed,
);
export type QueueOrdered = Static<typeof QueueOrdered>;
