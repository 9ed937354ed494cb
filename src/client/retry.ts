/** When to ask again. Pure: time and chance are arguments. */

/** How often, and after what waits, a request is sent again. */
export interface RetryPolicy {
  /** The first included; 1 never tries again. */
  readonly attempts: number;
  /** Before attempt n + 1 a random time below `baseMs * 2^(n - 1)`, and not above `maxMs`; on top of the server's `Retry-After`. */
  readonly baseMs: number;
  /** A server that wants a longer pause than this is not waited for: the error tells its `retryAfterMs`. */
  readonly maxMs: number;
}

export const defaultRetry: RetryPolicy = { attempts: 6, baseMs: 250, maxMs: 60_000 };

/**
 * How long to wait after a failed attempt, in ms; undefined to give up.
 * @param attempt  the one that has failed, from 1
 * @param random  0 to 1; a crowd that was refused at once must not come back at once
 */
export function retryDelayMs(
  attempt: number,
  { attempts, baseMs, maxMs }: RetryPolicy,
  retryAfter: number | undefined,
  random: number,
): number | undefined {
  if (attempt >= attempts || (retryAfter ?? 0) > maxMs) return undefined;
  return (retryAfter ?? 0) + random * Math.min(maxMs, baseMs * 2 ** (attempt - 1));
}

/** The header `Retry-After` (RFC 9110, section 10.2.3), seconds or a date, in ms from `nowMs`; undefined where it says nothing. */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  // Date.parse takes much that is no HTTP date, such as -1.
  const at = /^[A-Z][a-z]+, .* GMT$/.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
