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

/** Told once each, never before `runWithDeadline` has returned. Calls and not promises: every job comes this way. */
export interface CourseWatcher {
  /** The attempt counts as over: at the latest at its deadline, or `graceMs` after an abort or cancel. */
  ended(how: Ended): void;
  /** Its slot is free: `ended` with the work itself, `ignored` when it still runs `graceMs` after its signal. */
  released(how: 'ended' | 'ignored'): void;
}

export interface Course {
  /** Made when it is first asked for: it is the dearest part of an attempt, and short handlers never look at it. */
  readonly signal: AbortSignal;
  /** The watcher has been told that it ended. */
  readonly isOver: boolean;
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

/** Starts `work` at once. Whatever it throws or rejects with, also late, is caught here. */
export function runWithDeadline(
  work: (course: Course) => unknown,
  limits: CourseLimits,
  watcher: CourseWatcher,
): Course {
  const course = new RunningCourse(limits, watcher);
  course.run(work);
  return course;
}

class RunningCourse implements Course {
  readonly #limits: CourseLimits;
  readonly #watcher: CourseWatcher;
  #controller: AbortController | undefined;
  #phase: 'running' | 'timedOut' | 'aborted' | 'cancelled' | 'over' = 'running';
  #cancelTimer: () => void;
  #isOver = false;
  #isReleased = false;

  constructor(limits: CourseLimits, watcher: CourseWatcher) {
    this.#limits = limits;
    this.#watcher = watcher;
    this.#cancelTimer = limits.clock.after(limits.timeoutMs, () => this.#expire());
  }

  get signal(): AbortSignal {
    return this.#controllerOf().signal;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  run(work: (course: Course) => unknown): void {
    void called(work, this).then(
      (value) => this.#returned({ kind: 'returned', value }),
      (thrown: unknown) =>
        this.#returned(
          this.#phase === 'aborted' || this.#phase === 'cancelled'
            ? { kind: this.#phase }
            : { kind: 'thrown', thrown },
        ),
    );
  }

  abort(): void {
    this.#interrupt('aborted', () => new ShuttingDown());
  }

  cancel(): void {
    this.#interrupt('cancelled', () => new Cancelled('cancelled on request'));
  }

  #controllerOf(): AbortController {
    this.#controller ??= new AbortController();
    return this.#controller;
  }

  #returned(how: Ended): void {
    this.#cancelTimer();
    this.#phase = 'over';
    this.#end(how);
    this.#release('ended');
  }

  #expire(): void {
    this.#phase = 'timedOut';
    const reason = new TimedOut(this.#limits.timeoutMs);
    // Before the signal: an answer to the abort is no result in time.
    this.#end({ kind: 'thrown', thrown: reason });
    this.#cancelTimer = this.#limits.clock.after(this.#limits.graceMs, () => this.#release('ignored'));
    this.#controllerOf().abort(reason);
  }

  #interrupt(how: 'aborted' | 'cancelled', reason: () => Error): void {
    if (this.#phase !== 'running') return;
    this.#phase = how;
    this.#cancelTimer();
    this.#cancelTimer = this.#limits.clock.after(this.#limits.graceMs, () => {
      this.#end({ kind: how });
      this.#release('ignored');
    });
    this.#controllerOf().abort(reason());
  }

  #end(how: Ended): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#watcher.ended(how);
  }

  #release(how: 'ended' | 'ignored'): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#watcher.released(how);
  }
}

/** A promise also of what throws before it is one. That of an async function is taken as it is. */
function called(work: (course: Course) => unknown, course: Course): Promise<unknown> {
  try {
    return Promise.resolve(work(course));
  } catch (thrown) {
    return Promise.reject(thrown);
  }
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
