/**
 * Replays a dead or cancelled job: the same job in its next run. The right to begin a run is claimed in the store first, so that
 * of several who ask at once one does it; it is a lease, so that a crash in between costs time and not the job.
 */

import type { Broker } from '../broker/broker.js';
import { OutcomeUnknown } from '../job/errors.js';
import { aboutJob, type JobEvent } from '../job/event.js';
import { greatestRun, type JobRow } from '../job/fold.js';
import type { Job } from '../job/job.js';
import { nextState, type State } from '../job/state.js';
import type { Clock } from '../runtime/clock.js';
import type { JobReader, Registers } from '../store/store.js';

export interface ReplayOptions {
  readonly jobs: Pick<JobReader, 'get'>;
  readonly registers: Pick<Registers, 'claimReplay'>;
  readonly broker: Pick<Broker, 'publish'>;
  readonly tell: (event: JobEvent) => void;
  /** Whether the payload of every run is recorded (RECORD_PAYLOAD); an edited one always is. */
  readonly recordPayload: boolean;
  readonly clock: Clock;
}

export type ReplayOutcome =
  | { readonly kind: 'replayed'; readonly job: Job }
  /** Only dead and cancelled jobs can be replayed. */
  | { readonly kind: 'forbidden'; readonly state: State }
  /** Another replay of this run has the right to begin the next one, or has just begun it. */
  | { readonly kind: 'claimed'; readonly state: State }
  /** Its payload is not kept. */
  | { readonly kind: 'no-payload'; readonly state: State }
  /** It has had as many runs as can be counted. */
  | { readonly kind: 'worn-out'; readonly state: State }
  | { readonly kind: 'unknown' };

/** How long a claim holds. A publish is answered well before. */
export const replayLeaseMs = 60_000;

/**
 * The function made takes an edited payload as JSON text, already checked, and a way to publish that is not the broker's own.
 * @throws StoreUnavailable
 * @throws as `Broker.publish`: the claim stays, so the job can be replayed again after `replayLeaseMs`, as the same run
 */
export function createReplay(
  options: ReplayOptions,
): (id: string, editedPayload: Buffer | undefined, publish?: Broker['publish']) => Promise<ReplayOutcome> {
  const { jobs, registers, broker, clock } = options;

  function told(job: Job, isEdited: boolean): void {
    const isRecorded = isEdited || options.recordPayload;
    options.tell({
      ...aboutJob(job, job.dueAtMs),
      kind: 'replayed',
      ...(isRecorded ? { payload: job.body.toString('utf8') } : {}),
    });
  }

  return async (id, editedPayload, publish = (job) => broker.publish(job)) => {
    const found = await jobs.get(id);
    if (found === undefined) return { kind: 'unknown' };
    const { state, run } = found.row;
    if (nextState(state, 'replayed') === undefined) return { kind: 'forbidden', state };
    if (editedPayload === undefined && found.payload === undefined) return { kind: 'no-payload', state };
    if (run >= greatestRun) return { kind: 'worn-out', state };
    const nowMs = clock.now();
    const claim = await registers.claimReplay(id, run, nowMs, nowMs + replayLeaseMs);
    if (claim === undefined) return { kind: 'claimed', state };
    const body = editedPayload ?? bytesOf(claim.payload ?? found.payload);
    if (body === undefined) return { kind: 'no-payload', state };
    const job = nextRun(claim.row, body, nowMs);
    const isEdited = editedPayload !== undefined;
    try {
      await publish(job);
    } catch (error) {
      if (error instanceof OutcomeUnknown) void error.stored?.then(() => told(job, isEdited));
      throw error;
    }
    told(job, isEdited);
    return { kind: 'replayed', job };
  };
}

function bytesOf(payload: string | undefined): Buffer | undefined {
  return payload === undefined ? undefined : Buffer.from(payload);
}

/** Due at once. A deadline that has passed would end it before its first attempt, so it is dropped. */
function nextRun(row: JobRow, body: Buffer, nowMs: number): Job {
  const { id, type, queue, lane, run, maxAttempts, timeoutMs, expiresAtMs } = row;
  return {
    id,
    type,
    queue,
    lane,
    body,
    run: run + 1,
    attempt: 1,
    dueAtMs: nowMs,
    ...(maxAttempts === null ? {} : { maxAttempts }),
    ...(timeoutMs === null ? {} : { timeoutMs }),
    ...(expiresAtMs === null || expiresAtMs <= nowMs ? {} : { expiresAtMs }),
  };
}
