/** Time limits: one attempt under its deadline, and waits that end at the latest after so many ms. */
import { Cancelled, SluiceError } from '../job/errors.js';
import { type Clock, sleep } from '../runtime/clock.js';

/** The reason of a handler's signal at its deadline, and the failure of its attempt. */
export class TimedOut extends SluiceError {
  constructor(timeoutMs: number) {
    super('timed_out', `not done within its time limit of ${timeoutMs} ms`);
  }
}

/** The reason of a handler's signal when the worker stops. Its job is returned and costs no attempt. */
export class ShuttingDown extends SluiceError {
  constructor() {
    super('shutting_down', 'the worker is shutting down; the job goes back to its queue');
  }
}

/** `aborted`: the worker stops; `cancelled`: the work is no longer wanted. Neither came to a result of its own. */
export type Ended =
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'thrown'; readonly thrown: unknown }
  | { readonly kind: 'aborted' | 'cancelled' };

export interface Course {
  /** When the attempt counts as over: at the latest at its deadline, or `graceMs` after an abort or cancel. Never rejects. */
  readonly ended: Promise<Ended>;
  /** When its slot is free: `ended` with the work itself, `ignored` when it still runs `graceMs` after its signal. */
  readonly released: Promise<'ended' | 'ignored'>;
  /** Ends the work because the worker stops. A result that comes within `graceMs` still counts, an error does not. */
  abort(): void;
  /** Ends the work because it is no longer wanted; otherwise as `abort`. Whichever comes first holds. */
  cancel(): void;
}

export interface CourseLimits {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** How long work may go on after its signal has aborted. */
  readonly graceMs: number;
}

/**
 * Starts `work` at once. Whatever it throws or rejects with, also late, is caught here. The signal is made when it is
 * first asked for: it is the dearest part of an attempt, and short handlers never look at it.
 */
export function runWithDeadline(work: (signal: () => AbortSignal) => unknown, limits: CourseLimits): Course {
  const { clock, timeoutMs, graceMs } = limits;
  let controller: AbortController | undefined;
  let phase: 'running' | 'timedOut' | 'aborted' | 'cancelled' | 'over' = 'running';
  let end: (ended: Ended) => void = () => {};
  let release: (how: 'ended' | 'ignored') => void = () => {};
  const ended = new Promise<Ended>((resolve) => {
    end = resolve;
  });
  const released = new Promise<'ended' | 'ignored'>((resolve) => {
    release = resolve;
  });
  let cancelTimer = clock.after(timeoutMs, expire);

  function controllerOf(): AbortController {
    controller ??= new AbortController();
    return controller;
  }

  function expire(): void {
    phase = 'timedOut';
    const reason = new TimedOut(timeoutMs);
    // Before the signal: an answer to the abort is no result in time.
    end({ kind: 'thrown', thrown: reason });
    cancelTimer = clock.after(graceMs, () => release('ignored'));
    controllerOf().abort(reason);
  }

  function over(how: Ended): void {
    cancelTimer();
    phase = 'over';
    end(how);
    release('ended');
  }

  function interrupt(how: 'aborted' | 'cancelled', reason: Error): void {
    if (phase !== 'running') return;
    phase = how;
    cancelTimer();
    cancelTimer = clock.after(graceMs, () => {
      end({ kind: how });
      release('ignored');
    });
    controllerOf().abort(reason);
  }

  const call = async (): Promise<unknown> => work(() => controllerOf().signal);
  void call().then(
    (value) => over({ kind: 'returned', value }),
    (thrown: unknown) =>
      over(phase === 'aborted' || phase === 'cancelled' ? { kind: phase } : { kind: 'thrown', thrown }),
  );

  return {
    ended,
    released,
    abort: () => interrupt('aborted', new ShuttingDown()),
    cancel: () => interrupt('cancelled', new Cancelled('cancelled on request')),
  };
}

/** Resolves with `wait`, at the latest after `ms`; true when `wait` was first. */
export async function waitAtMost(clock: Clock, ms: number, wait: Promise<unknown>): Promise<boolean> {
  const done = new AbortController();
  const isInTime = await Promise.race([
    wait.then(() => true),
    sleep(clock, ms, done.signal).then(() => false),
  ]);
  done.abort();
  return isInTime;
}
