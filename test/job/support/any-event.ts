/** Events as fast-check makes them up: every kind, few jobs, so that they meet. */
import fc from 'fast-check';
import { v7 } from 'uuid';
import type { EventBatch, JobEvent } from '../../../src/job/event.js';
import { sourceRoles } from '../../../src/job/event.js';
import { lanes } from '../../../src/job/job.js';
import { deathReasons } from '../../../src/job/outcome.js';

const START_MS = Date.UTC(2026, 0, 1);

const timeMs = fc.integer({ min: START_MS, max: START_MS + 1000 });
const json = fc.json({ maxDepth: 1 });
const failure = fc
  .record(
    { name: fc.string(), message: fc.string(), code: fc.string(), stack: fc.string() },
    { requiredKeys: ['name', 'message'] },
  )
  .map((made) => made as { name: string; message: string; code?: string; stack?: string });

const jobs = Array.from({ length: 2 }, (_, index) => ({
  id: v7({ msecs: START_MS + index * 500 }),
  type: `type-${index}`,
  queue: index === 0 ? 'mail' : 'default',
  lane: lanes[index % lanes.length] ?? 'normal',
}));

const kinds: readonly fc.Arbitrary<object>[] = [
  fc.record(
    {
      kind: fc.constant('accepted'),
      maxAttempts: fc.integer({ min: 1, max: 3 }),
      timeoutMs: fc.integer({ min: 1, max: 3 }),
      expiresAtMs: timeMs,
      traceId: fc.string({ minLength: 1 }),
      payload: json,
      isAgain: fc.constant(true),
    },
    { requiredKeys: ['kind'] },
  ),
  fc.record({ kind: fc.constant('started') }),
  fc.record(
    {
      kind: fc.constant('progressed'),
      step: fc.integer({ min: 1, max: 2 }),
      percent: fc.integer({ min: 0, max: 100 }),
      note: fc.string({ minLength: 1 }),
    },
    { requiredKeys: ['kind', 'step', 'percent'] },
  ),
  fc.record(
    {
      kind: fc.constant('succeeded'),
      startedAtMs: timeMs,
      result: json,
      cutFrom: fc.nat(),
    },
    { requiredKeys: ['kind', 'startedAtMs'] },
  ),
  fc.record({ kind: fc.constant('retried'), startedAtMs: timeMs, nextDueAtMs: timeMs, failure }),
  fc.record(
    { kind: fc.constant('cancelled'), startedAtMs: timeMs, failure, payload: json },
    { requiredKeys: ['kind', 'failure', 'payload'] },
  ),
  fc.record(
    {
      kind: fc.constant('deadLettered'),
      startedAtMs: timeMs,
      reason: fc.constantFrom(...deathReasons),
      failure,
      payload: json,
    },
    { requiredKeys: ['kind', 'reason', 'failure', 'payload'] },
  ),
  fc.record({ kind: fc.constant('replayed'), payload: json }, { requiredKeys: ['kind'] }),
  fc.record({ kind: fc.constant('discarded') }),
];

/** Of two jobs, up to two runs and two attempts each: many say something else of the same. */
export const anyEvent: fc.Arbitrary<JobEvent> = fc
  .tuple(
    fc.constantFrom(...jobs),
    fc.record({
      run: fc.integer({ min: 1, max: 2 }),
      attempt: fc.integer({ min: 1, max: 2 }),
      dueAtMs: timeMs,
      atMs: timeMs,
    }),
    fc.oneof(...kinds),
  )
  .map(([job, about, said]) => ({ ...job, ...about, ...said }) as JobEvent);

export const anyBatch: fc.Arbitrary<EventBatch> = fc.record({
  source: fc.uuid(),
  seq: fc.integer({ min: 1 }),
  role: fc.constantFrom(...sourceRoles),
  host: fc.string(),
  atMs: fc.maxSafeNat(),
  held: fc.nat(),
  isLast: fc.boolean(),
  events: fc.array(anyEvent, { maxLength: 8 }),
});
