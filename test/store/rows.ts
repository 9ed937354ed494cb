/** Recordings for tests of the store. */
import { v7 } from 'uuid';
import type { JobEvent } from '../../src/job/event.js';
import { fold } from '../../src/job/fold.js';
import type { Recording } from '../../src/store/store.js';

export const startMs = Date.UTC(2026, 0, 1);

/** The job that was accepted `index` ms after the start: later ones have greater ids. */
export function jobNumber(index: number, type = 'echo', queue = 'default') {
  const atMs = startMs + index;
  return {
    id: v7({ msecs: atMs }),
    type,
    queue,
    lane: 'normal',
    run: 1,
    attempt: 1,
    dueAtMs: atMs,
    atMs,
  } as const;
}

export type AboutJob = ReturnType<typeof jobNumber>;

export function accepted(about: AboutJob, dueAtMs: number = about.dueAtMs): JobEvent {
  return { ...about, dueAtMs, kind: 'accepted' };
}

export function succeeded(about: AboutJob): JobEvent {
  return { ...about, kind: 'succeeded', startedAtMs: about.atMs, result: '{"ok":true}' };
}

export function died(about: AboutJob, atMs: number, message = 'no luck'): JobEvent {
  const failure = { name: 'Error', message };
  return { ...about, atMs, kind: 'deadLettered', reason: 'exhausted', failure, payload: '{"n":1}' };
}

export function retried(about: AboutJob, nextDueAtMs: number): JobEvent {
  const failure = { name: 'Error', message: 'not yet' };
  return { ...about, kind: 'retried', startedAtMs: about.atMs, nextDueAtMs, failure };
}

export function recordingOf(events: readonly JobEvent[], more: Partial<Recording> = {}): Recording {
  return { receipts: [], flow: [], ...fold(events), ...more };
}

export function receiptOf(source: string, seq: number, more: Partial<Recording['receipts'][number]> = {}) {
  return {
    source,
    seq,
    role: 'work',
    host: 'here 1',
    atMs: startMs,
    held: 0,
    isLast: false,
    accepted: 0,
    acceptedAgain: 0,
    ...more,
  } as const;
}
