/** A sender of events in memory, which can hold back its confirms or refuse. */
import type { EventSender } from '../../../src/events/sender.js';
import type { EventKind, JobEvent } from '../../../src/job/event.js';

export interface EventBook extends Pick<EventSender, 'tell' | 'record'> {
  /** All that was told and recorded, in order, confirmed or not. */
  readonly events: readonly JobEvent[];
  /** The kinds of what was said of one job, or of all. */
  kinds(id?: string): EventKind[];
  /** From now on nothing is confirmed until `release`. */
  withhold(): void;
  release(): void;
  /** The next `record` rejects with `error`. */
  failNext(error: Error): void;
}

export function createEventBook(): EventBook {
  const events: JobEvent[] = [];
  const failures: Error[] = [];
  let confirming = Promise.resolve();
  let release = (): void => {};
  return {
    events,
    kinds: (id) => events.filter((event) => id === undefined || event.id === id).map((event) => event.kind),
    tell: (event) => void events.push(event),
    async record(event) {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      events.push(event);
      await confirming;
    },
    withhold() {
      confirming = new Promise((resolve) => {
        release = resolve;
      });
    },
    release: () => release(),
    failNext: (error) => void failures.push(error),
  };
}
