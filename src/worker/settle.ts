/** Carries a verdict out on a delivery: exactly once, tried again while the delivery lives and the broker cannot take it. */
import type { Delivery } from '../broker/broker.js';
import { Lost } from '../job/errors.js';
import type { Job } from '../job/job.js';
import type { Death } from '../job/outcome.js';
import { nextDelayMs } from '../job/retry.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Decision } from './decision.js';

/**
 * What is to be done with a delivery. Kept small, because it is remembered. `settled`: its outcome is already with the
 * broker, so a copy that comes again is only to be removed. `returned`: never started, or aborted.
 */
export type Verdict =
  | { readonly kind: 'succeeded' | 'cancelled'; readonly durationMs: number }
  | { readonly kind: 'retried'; readonly dueAtMs: number; readonly durationMs: number }
  | { readonly kind: 'dead'; readonly death: Death; readonly durationMs: number }
  | { readonly kind: 'settled' }
  | { readonly kind: 'returned' };

export function verdictOf(decision: Decision, nowMs: number): Verdict {
  if (decision.kind === 'aborted') return { kind: 'returned' };
  const { outcome, startedAtMs, durationMs } = decision;
  switch (outcome.kind) {
    case 'succeeded':
    case 'cancelled':
      return { kind: outcome.kind, durationMs };
    case 'retried':
      return { kind: 'retried', dueAtMs: nowMs + outcome.delayMs, durationMs };
    case 'dead':
      return {
        kind: 'dead',
        death: {
          reason: outcome.reason,
          failure: outcome.failure,
          atMs: nowMs,
          ...(startedAtMs !== undefined && { startedAtMs }),
        },
        durationMs,
      };
  }
}

export interface SettleOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** No further try once it aborts: the broker delivers the job again. */
  readonly abandoned: AbortSignal;
}

const tryAgain = { baseMs: 200, maxMs: 15_000 };

/**
 * `done` is called once, after this returns: true when the broker has taken it; false when the delivery is lost or given up, and the
 * job comes again. It must not throw.
 */
export type Settle = (delivery: Delivery, verdict: Verdict, done: (isTaken: boolean) => void) => void;

export function createSettle({ clock, random, log, abandoned }: SettleOptions): Settle {
  async function again(delivery: Delivery, verdict: Verdict, firstError: unknown): Promise<boolean> {
    let error = firstError;
    for (let tries = 1; ; tries++) {
      if (error instanceof Lost || abandoned.aborted) return false;
      const delayMs = nextDelayMs(tries, tryAgain, random);
      log.warn(
        { job: delivery.job.id, outcome: verdict.kind, tries, delayMs, err: error },
        'the broker did not take the outcome of a job; it is tried again while the job is in our hands',
      );
      await sleep(clock, delayMs, abandoned);
      if (abandoned.aborted) return false;
      try {
        await carryOut(delivery, verdict);
        return true;
      } catch (nextError) {
        error = nextError;
      }
    }
  }

  return (delivery, verdict, done) => {
    carryOut(delivery, verdict).then(
      () => done(true),
      (error: unknown) => void again(delivery, verdict, error).then(done),
    );
  };
}

function carryOut(delivery: Delivery, verdict: Verdict): Promise<void> {
  switch (verdict.kind) {
    case 'succeeded':
    case 'cancelled':
    case 'settled':
      return delivery.ack();
    case 'retried':
      return delivery.retry(nextAttempt(delivery.job, verdict.dueAtMs));
    case 'dead':
      return delivery.deadLetter(verdict.death);
    case 'returned':
      return delivery.return();
  }
}

function nextAttempt(job: Job, dueAtMs: number): Job {
  return { ...job, attempt: job.attempt + 1, dueAtMs };
}
