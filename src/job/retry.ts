/** The policy of retries: what an attempt's end means for its job. Pure: chance and time are arguments. */
import { Cancelled, DeadLetter, RetryLater, Undecodable } from './errors.js';
import { failureOf, propertyOf } from './failure.js';
import type { Failure, Outcome } from './outcome.js';

/** In ms, 1 <= baseMs <= maxMs. */
export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** Longer than this no engine holds a job back: 28 delay levels of 100 ms end after 310 days. */
export const longestDelayMs = 310 * 86_400_000;

/**
 * Exponential backoff with full jitter: a whole number of ms, at random below min(maxMs, baseMs * 2^(attempt - 1)).
 *
 * | attempt | with baseMs 1000, maxMs 600000 |
 * |---|---|
 * | 1 | below 1 s |
 * | 2 | below 2 s |
 * | 5 | below 16 s |
 * | 11 and later | below 600 s |
 *
 * Source: AWS Architecture Blog, "Exponential Backoff and Jitter" (2015): sleep = random_between(0, min(cap, base * 2 ** attempt)).
 *
 * @param attempt  the one that has failed, counted from 1
 * @param random   from 0 up to, not including, 1
 */
export function nextDelayMs(attempt: number, backoff: Backoff, random: () => number): number {
  // 2^1024 is Infinity, which the minimum turns into maxMs.
  const ceilingMs = Math.min(backoff.maxMs, backoff.baseMs * 2 ** (attempt - 1));
  return Math.floor(random() * ceilingMs);
}

/** How an attempt came to its end, or why there was none. `thrown` stands also for a timeout and for a body that is no JSON. */
export type Ending =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'thrown'; readonly thrown: unknown }
  | { readonly kind: 'expired'; readonly expiresAtMs: number }
  /** Ordered by an operator, or its queue was purged; and it did not come to a result all the same. */
  | { readonly kind: 'cancelled'; readonly by: CancelCause };

export type CancelCause = 'order' | 'purge';

export interface RetryPolicy {
  /** Attempts of one run, the first included. */
  readonly maxAttempts: number;
  readonly backoff: Backoff;
}

/**
 * Decides what becomes of a job whose attempt has ended. Never throws, whatever the handler threw.
 *
 * | the handler | outcome |
 * |---|---|
 * | returned | succeeded |
 * | threw `DeadLetter` | dead, permanent |
 * | threw `Cancelled` | cancelled |
 * | threw `RetryLater` | retried after its delay, or dead, exhausted |
 * | threw anything else | retried after the backoff, or dead, exhausted |
 * | got no body that is JSON | dead, undecodable |
 * | came too late | dead, expired |
 * | was ordered to stop, or not to begin | cancelled |
 */
export function decideOutcome(
  ending: Ending,
  attempt: number,
  policy: RetryPolicy,
  random: () => number,
): Outcome {
  switch (ending.kind) {
    case 'returned':
      return { kind: 'succeeded', result: ending.value };
    case 'expired':
      return { kind: 'dead', reason: 'expired', failure: expiry(ending.expiresAtMs) };
    case 'cancelled':
      return { kind: 'cancelled', failure: cancellation[ending.by] };
    case 'thrown':
      return outcomeOfThrown(ending.thrown, attempt, policy, random);
  }
}

function outcomeOfThrown(
  thrown: unknown,
  attempt: number,
  policy: RetryPolicy,
  random: () => number,
): Outcome {
  const failure = failureOf(thrown);
  if (isA(thrown, Undecodable)) return { kind: 'dead', reason: 'undecodable', failure };
  if (isControl(thrown, DeadLetter)) return { kind: 'dead', reason: 'permanent', failure };
  if (isControl(thrown, Cancelled)) return { kind: 'cancelled', failure };
  if (attempt >= policy.maxAttempts) return { kind: 'dead', reason: 'exhausted', failure };
  const backoffMs = nextDelayMs(attempt, policy.backoff, random);
  if (!isControl(thrown, RetryLater)) return { kind: 'retried', delayMs: backoffMs, failure };
  const askedMs = propertyOf(thrown, 'delayMs');
  if (typeof askedMs === 'number' && askedMs >= 0) {
    return { kind: 'retried', delayMs: Math.min(Math.ceil(askedMs), longestDelayMs), failure };
  }
  const note = 'RetryLater takes a number of ms from 0; the usual backoff was used instead';
  return {
    kind: 'retried',
    delayMs: backoffMs,
    failure: { ...failure, message: `${failure.message} (${note})` },
  };
}

function expiry(expiresAtMs: number): Failure {
  return {
    name: 'Expired',
    code: 'expired',
    message: `not started before its expiresAt, ${expiresAtMs} ms since the epoch; add workers or allow it more time`,
  };
}

const cancellation: Readonly<Record<CancelCause, Failure>> = {
  order: { name: 'Cancelled', code: 'cancelled', message: 'cancelled on request' },
  purge: { name: 'Cancelled', code: 'purged', message: 'its queue was purged while it waited' },
};

type Class = abstract new (...args: never[]) => Error;

/** A user's bundle may hold its own copy of this package: there the class differs, and only the name is the same. */
function isControl(thrown: unknown, control: Class): boolean {
  return isA(thrown, control) || propertyOf(thrown, 'name') === control.name;
}

function isA(thrown: unknown, control: Class): boolean {
  try {
    return thrown instanceof control;
  } catch {
    return false; // a proxy whose prototype cannot be read
  }
}
