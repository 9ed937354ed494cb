/** Waits and time limits that a signal can end. */

/** Timers cannot be longer; such a limit is none. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** @throws  the signal's reason, once it has aborted */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      if (signal?.aborted) reject(signal.reason as Error);
      else resolve();
    };
    const timer = setTimeout(end, Math.min(ms, LONGEST_TIMER_MS));
    signal?.addEventListener('abort', end);
    if (signal?.aborted) end();
  });
}

/**
 * Does the work under a signal that aborts with the caller's, or when the time is over.
 * @throws  the caller's reason, `late()`, or what the work has thrown
 */
export async function within<Result>(
  ms: number,
  late: () => Error,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  signal?.throwIfAborted();
  // Not AbortSignal.any: until it is collected, it holds on to a caller's signal that lives for long.
  const stop = new AbortController();
  const pass = (): void => stop.abort(signal?.reason);
  signal?.addEventListener('abort', pass);
  const timer = ms <= LONGEST_TIMER_MS ? setTimeout(() => stop.abort(late()), ms) : undefined;
  try {
    return await work(stop.signal);
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', pass);
  }
}
