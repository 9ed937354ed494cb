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
  /** Nothing is waited for once it aborts. */
  readonly abandoned: AbortSignal;
}

const tryAgain = { baseMs: 200, maxMs: 15_000 };

/** True once the event is durable, false when it was given up. Never rejects. */
export type Record = (event: JobEvent) => Promise<boolean>;

export function createRecord({ events, clock, random, log, abandoned }: RecordOptions): Record {
  // Not a race against one long promise: each race would leave something behind on it.
  const giveUps = new Set<() => void>();
  abandoned.addEventListener('abort', () => [...giveUps].map((giveUp) => giveUp()), { once: true });

  async function insist(event: JobEvent): Promise<void> {
    for (let tries = 1; !abandoned.aborted; tries++) {
      try {
        await events.record(event);
        return;
      } catch (error) {
        const delayMs = nextDelayMs(tries, tryAgain, random);
        log.warn(
          { job: event.id, event: event.kind, tries, delayMs, err: error },
          'what became of a job could not be recorded, so the job is not settled yet; it is tried again',
        );
        await sleep(clock, delayMs, abandoned);
      }
    }
  }

  return function record(event) {
    if (abandoned.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const giveUp = (): void => resolve(false);
      giveUps.add(giveUp);
      void insist(event).then(() => {
        giveUps.delete(giveUp);
        resolve(!abandoned.aborted);
      });
    });
  };
}
