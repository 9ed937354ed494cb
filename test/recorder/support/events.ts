/** Events and batches for tests of the recorder. */
import type { EventBatch, JobEvent } from '../../../src/job/event.js';

const START_MS = Date.UTC(2026, 0, 1);

/** The id of the n-th job, accepted n ms after the beginning. */
export function idOf(n: number): string {
  const hex = (START_MS + n).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${n.toString(16).padStart(12, '0')}`;
}

function about(
  n: number,
): Pick<JobEvent, 'id' | 'type' | 'queue' | 'lane' | 'run' | 'attempt' | 'dueAtMs' | 'atMs'> {
  const atMs = START_MS + n;
  return {
    id: idOf(n),
    type: 'echo',
    queue: 'default',
    lane: 'normal',
    run: 1,
    attempt: 1,
    dueAtMs: atMs,
    atMs,
  };
}

export function accepted(n: number, more: { isAgain?: true; payload?: string } = {}): JobEvent {
  return { ...about(n), kind: 'accepted', ...more };
}

export function started(n: number): JobEvent {
  return { ...about(n), kind: 'started' };
}

export function succeeded(n: number, more: { result?: string; atMs?: number } = {}): JobEvent {
  return { ...about(n), kind: 'succeeded', startedAtMs: START_MS + n, ...more };
}

export function deadLettered(n: number): JobEvent {
  const failure = { name: 'Error', message: 'no' };
  return { ...about(n), kind: 'deadLettered', reason: 'permanent', failure, payload: '{"n":1}' };
}

export function batchOf(
  source: string,
  seq: number,
  events: readonly JobEvent[],
  more: Partial<EventBatch> = {},
): EventBatch {
  const common = {
    role: 'work',
    host: `host-of-${source.slice(0, 4)} 1`,
    atMs: START_MS,
    held: 0,
    isLast: false,
  } as const;
  return { ...common, source, seq, events, ...more };
}

/** A UUID whose first character tells it apart. */
export function sourceId(digit: string): string {
  return `${digit.repeat(8)}-0000-4000-8000-000000000000`;
}
