/** When a backlog will be gone at the present pace. Pure. */

export interface Pace {
  /** Jobs that wait or run. */
  readonly backlog: number;
  readonly acceptedPerSecond: number;
  readonly drainedPerSecond: number;
  readonly isPaused: boolean;
}

export interface Forecast {
  readonly state: 'empty' | 'draining' | 'growing' | 'idle' | 'paused';
  /** In ms from now, or null where there is no telling. */
  readonly emptyInMs: number | null;
}

/** Backlog over net drain: at 300 waiting, 10 coming and 40 going per second it is gone in 10 s. */
export function forecastOf({ backlog, acceptedPerSecond, drainedPerSecond, isPaused }: Pace): Forecast {
  if (backlog === 0) return { state: 'empty', emptyInMs: 0 };
  if (isPaused) return { state: 'paused', emptyInMs: null };
  const netPerSecond = drainedPerSecond - acceptedPerSecond;
  if (netPerSecond > 0) return { state: 'draining', emptyInMs: Math.ceil((backlog / netPerSecond) * 1_000) };
  return { state: acceptedPerSecond > 0 ? 'growing' : 'idle', emptyInMs: null };
}
