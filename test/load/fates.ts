/** What becomes of the n-th job of `npm run ledger`, and the state in which it must end. Pure. */
import type { State } from '../../src/job/state.js';

export const fates = ['echo', 'plain', 'delayed', 'flaky', 'dies', 'exhausts', 'cancelled'] as const;
export type Fate = (typeof fates)[number];

/** Long enough that an order to cancel is at every worker before. */
export const CANCELLED_DELAY_MS = 20_000;

/** In each hundred: 10 delayed, 6 failing once, 5 dead at once, 2 dead after two attempts, 1 to be cancelled, 25 `echo`. */
export function fateOf(n: number): Fate {
  if (n % 100 === 11) return 'cancelled';
  if (n % 10 === 4) return 'delayed';
  if (n % 20 === 13) return 'dies';
  if (n % 50 === 3) return 'exhausts';
  if (n % 20 === 7 || n % 100 === 1) return 'flaky';
  return n % 4 === 2 || n % 20 === 0 ? 'echo' : 'plain';
}

/** @param cancelledDelayMs  shorter where no orders are given */
export function requestOf(n: number, cancelledDelayMs = CANCELLED_DELAY_MS): object {
  const fate = fateOf(n);
  const common = {
    type: fate === 'echo' ? 'echo' : 'fate',
    payload: { n, fate },
    priority: (['high', 'normal', 'low'] as const)[n % 3],
  };
  if (fate === 'delayed') return { ...common, delayMs: 1000 + (n % 1000) };
  if (fate === 'cancelled') return { ...common, delayMs: cancelledDelayMs };
  if (fate === 'exhausts') return { ...common, maxAttempts: 2 };
  return common;
}

/** What has been ordered of a job, as far as its answer is known. */
export interface Orders {
  /** The order to cancel was accepted well before the job was due. */
  readonly isCancelled: boolean;
  /** An order was given, but its answer is unknown, or it came late. */
  readonly isUncertain: boolean;
  readonly isReplayed: boolean;
}

/** The states that are right at the end. */
export function endsOf(fate: Fate, { isCancelled, isUncertain, isReplayed }: Orders): readonly State[] {
  if (fate === 'dies' || fate === 'exhausts') {
    if (isReplayed) return ['succeeded'];
    return isUncertain ? ['dead', 'succeeded'] : ['dead'];
  }
  if (isCancelled) return ['cancelled'];
  return isUncertain ? ['succeeded', 'cancelled'] : ['succeeded'];
}
