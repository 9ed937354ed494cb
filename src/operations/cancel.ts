/** Cancels a job: an order in the registers, which every worker reads. The worker that settles the job says `cancelled`. */
import { hasEnded, type State } from '../job/state.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { JobReader, Registers } from '../store/store.js';

export interface CancelOptions {
  readonly jobs: Pick<JobReader, 'states'>;
  readonly registers: Pick<Registers, 'cancel' | 'cancelRequestedAt'>;
  /** The newest run of a job that this process has begun itself: the store may not know it yet. */
  readonly begun: (id: string) => { readonly run: number } | undefined;
  /** Tells the workers that the registers have changed (`EventChannel.announce`). */
  readonly announce: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

export type CancelOutcome =
  /** From now on it holds, also when it was asked for before. */
  | { readonly kind: 'requested'; readonly run: number; readonly atMs: number }
  | { readonly kind: 'ended'; readonly state: State }
  | { readonly kind: 'unknown' };

/** @throws StoreUnavailable */
export function createCancel(options: CancelOptions): (id: string) => Promise<CancelOutcome> {
  const { jobs, registers, begun, announce, clock, log } = options;
  return async (id) => {
    const [row] = await jobs.states([id]);
    const run = Math.max(row?.run ?? 0, begun(id)?.run ?? 0);
    if (run === 0) return { kind: 'unknown' };
    if (row !== undefined && row.run === run && hasEnded(row.state))
      return { kind: 'ended', state: row.state };
    const nowMs = clock.now();
    await registers.cancel(id, run, nowMs);
    log.info({ job: id, run }, 'an operator has cancelled a job');
    // The order holds already: workers who miss the news read the registers by and by.
    void announce().catch((error: unknown) =>
      log.warn({ err: error, job: id }, 'a cancel was not announced'),
    );
    return { kind: 'requested', run, atMs: (await registers.cancelRequestedAt(id, run)) ?? nowMs };
  };
}
