/** The wire contract of `/v1/queues`. */
import Type, { type Static } from 'typebox';
import { queueNamePattern } from '../job/job.js';

const count = Type.Integer({ minimum: 0 });

/** A queue as it stands: rates are means over the last minute, times in ms. */
export const QueueView = Type.Object({
  name: Type.String({ pattern: queueNamePattern }),
  /** Waiting for a worker, as the broker counts it. */
  depth: Type.Object({ high: count, normal: count, low: count, total: count }),
  /** Waiting for their time: delayed, or for the next attempt. */
  scheduled: count,
  active: count,
  dead: count,
  consumers: count,
  /** How long the job that waits longest has been due; null when none waits. */
  oldestAgeMs: Type.Union([count, Type.Null()]),
  acceptedPerSecond: Type.Number({ minimum: 0 }),
  /** Jobs that came to an end. */
  drainedPerSecond: Type.Number({ minimum: 0 }),
  forecast: Type.Object({
    /** `growing`: more comes than goes. `idle`: nothing moves. `paused`. Then there is no telling when. */
    state: Type.Enum(['empty', 'draining', 'growing', 'idle', 'paused']),
    /** When the backlog is gone at this pace, in ms from now; null where there is no telling. */
    emptyInMs: Type.Union([count, Type.Null()]),
    emptyAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
  }),
  isPaused: Type.Boolean(),
  /** What an operator has ordered instead of the workers' setting; null: nothing. */
  concurrency: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()]),
});
export type QueueView = Static<typeof QueueView>;

export const QueueList = Type.Object({ queues: Type.Array(QueueView) });
export type QueueList = Static<typeof QueueList>;

/** Body of `PATCH /v1/queues/:name`; null goes back to the workers' setting. */
export const QueueChange = Type.Object(
  { concurrency: Type.Union([Type.Integer({ minimum: 1, maximum: 10_000 }), Type.Null()]) },
  { additionalProperties: false },
);
export type QueueChange = Static<typeof QueueChange>;

/** The 202 of pause, resume, purge and PATCH: the order is in the store, and all workers are told. */
export const QueueOrdered = Type.Object({
  name: Type.String(),
  isPaused: Type.Boolean(),
  concurrency: Type.Union([Type.Integer(), Type.Null()]),
  /** Jobs that were due by then are cancelled instead of run. */
  purgedThrough: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
});
export type QueueOrdered = Static<typeof QueueOrdered>;
