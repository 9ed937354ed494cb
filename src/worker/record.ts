/** Brings the event of a job's end to where it is durable: tried again as long as it takes, given up only when the worker ends. */
import type { EventSender } from '../events/sender.js';
import type { JobEvent } from '../job/event.js';
import { nextDelayMs } from '../job/retry.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';

export interface RecordOptions {
  readonly events: Pick<EventSender, 'record'>;
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

export function createRecord({ events, clock, random, log, abandoned }: RecordOptions): Record {
  return function record(event, done) {
    let isOver = false;

    function end(isDurable: boolean): void {
      if (isOver) return;
      isOver = true;
      done(isDurable);
    }

    function attempt(tries: number): void {
      if (abandoned.aborted) {
        queueMicrotask(() => end(false));
        return;
      }
      events.record(event).then(
        () => end(true),
        (error: unknown) => void again(tries, error),
      );
    }

    async function again(tries: number, error: unknown): Promise<void> {
      if (isOver || abandoned.aborted) {
        end(false);
        return;
      }
      const delayMs = nextDelayMs(tries, tryAgain, random);
      log.warn(
        { job: event.id, event: event.kind, tries, delayMs, err: error },
        'what became of a job could not be recorded, so the job is not settled yet; it is tried again',
      );
      await sleep(clock, delayMs, abandoned);
      attempt(tries + 1);
    }

    attempt(1);
    return { giveUp: () => end(false) };
  };
}
