/** Rows of jobs as a recorder would have written them. */
import { createJobId } from '../../../src/http/job-id.js';
import { rowOfRecent } from '../../../src/http/job-view.js';
import type { JobRow } from '../../../src/job/fold.js';
import { acceptedAtMs } from '../../../src/job/job.js';
import type { MemoryStore } from '../../support/memory-store.js';

/** Puts a row into the store; a queued job of type `echo` unless told otherwise. Returns its id. */
export function put(store: MemoryStore, changes: Partial<JobRow> = {}, payload?: string): string {
  const id = changes.id ?? createJobId(Date.now());
  const job = {
    id,
    type: 'echo',
    queue: 'default',
    lane: 'normal',
    run: 1,
    attempt: 1,
    dueAtMs: acceptedAtMs({ id }),
  } as const;
  store.rows.set(id, { ...rowOfRecent(job), ...changes });
  if (payload !== undefined) store.payloads.set(id, payload);
  return id;
}
