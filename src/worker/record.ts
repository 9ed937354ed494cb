/** Brings the event of a job's end to where it is durable: tried again as long as it takes, given up only when the worker ends. */
import type { Waiter } from '../events/pending.js';
import type { EventSender } from '../events/sender.js';
import type { JobEvent } from '../job/event.js';
import { nextDelayMs } from '../job/retry.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';

export interface RecordOptions {
  readonly events: Pick<EventSender, 'recordFor'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Nothing is tried once more when it aborts. */
  readonly abandoned: AbortSignal;
}

export interface Recording {
  /** Does nothing when it is over. */
  giveUp(): void;
}

/**
 * `done` is called once, not before this returns: true once the event is durable, false when it was given up. A call and not a
 * promise: every job comes this way.
 */
export type Record = (event: JobEvent, done: (isDurable: boolean) => void) => Recording;

const tryAgain = { baseMs: 200, maxMs: 15_000 };

export function createRecord(options: RecordOptions): Record {
  return (event, done) => {
    const recording = new RunningRecording(options, event, done);
    recording.attempt();
    return recording;
  };
}

/** A class, as there is one of each job; it is itself the one that waits for its event. */
class RunningRecording implements Recording, Waiter {
  readonly #options: RecordOptions;
  readonly #event: JobEvent;
  readonly #done: (isDurable: boolean) => void;
  #tries = 0;
  #isOver = false;

  constructor(options: RecordOptions, event: JobEvent, done: (isDurable: boolean) => void) {
    this.#options = options;
    this.#event = event;
    this.#done = done;
  }

  attempt(): void {
    const { abandoned, events } = this.#options;
    this.#tries += 1;
    if (abandoned.aborted) queueMicrotask(() => this.#end(false));
    else events.recordFor(this.#event, this);
  }

  resolve(): void {
    this.#end(true);
  }

  reject(error: Error): void {
    void this.#again(error);
  }

  giveUp(): void {
    this.#end(false);
  }

  async #again(error: Error): Promise<void> {
    const { abandoned, clock, random, log } = this.#options;
    if (this.#isOver || abandoned.aborted) {
      this.#end(false);
      return;
    }
    const tries = this.#tries;
    const delayMs = nextDelayMs(tries, tryAgain, random);
    log.warn(
      { job: this.#event.id, event: this.#event.kind, tries, delayMs, err: error },
      'what became of a job could not be recorded, so the job is not settled yet; it is tried again',
    );
    await sleep(clock, delayMs, abandoned);
    this.attempt();
  }

  #end(isDurable: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#done(isDurable);
  }
}
