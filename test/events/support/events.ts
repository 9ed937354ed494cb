/** Events by what a test cares about. */
import { v7 } from 'uuid';
import type { AboutJob, JobEvent } from '../../../src/job/event.js';

export const startMs = Date.UTC(2026, 0, 1);

function about(id: string): AboutJob {
  return {
    id,
    type: 'echo',
    queue: 'default',
    lane: 'normal',
    run: 1,
    attempt: 1,
    dueAtMs: startMs,
    atMs: startMs,
  };
}

export const newId = (): string => v7({ msecs: startMs });
export const accepted = (id = newId()): JobEvent => ({ ...about(id), kind: 'accepted' });
export const started = (id = newId(), attempt = 1): JobEvent => ({ ...about(id), attempt, kind: 'started' });
export const succeeded = (id = newId(), result = '1'): JobEvent => ({
  ...about(id),
  kind: 'succeeded',
  startedAtMs: startMs,
  result,
});
export const retried = (id = newId()): JobEvent => ({
  ...about(id),
  kind: 'retried',
  startedAtMs: startMs,
  nextDueAtMs: startMs,
  failure: { name: 'Error', message: 'no luck' },
});
export const progressed = (id = newId(), step = 1): JobEvent => ({
  ...about(id),
  kind: 'progressed',
  step,
  percent: step,
});
