/** A sender of events in memory, which can hold back its confirms or refuse. */
import type { EventSender } from '../../../src/events/sender.js';
import type { EventKind, JobEvent } from '../../../src/job/event.js';

export interface EventBook extends Pick<EventSender, 'tell' | 'recordFor'> {
  /** All that was told and recorded, in order, confirmed or not. */
  readonly events: readonly JobEvent[];
  /** The kinds of what was said of one job, or of all. */
  kinds(id?: string): EventKind[];
  /** Resolves once so many of this kind were said. */
  until(kind: EventKind, count: number): Promise<void>;
  /** From now on nothing is confirmed until `release`. */
  withhold(): void;
  release(): void;
  /** The next `record` rejects with `error`. */
  failNext(error: Error): void;
}

/** @param bringOut  makes an event durable */
export function createEventBook(
  bringOut: (event: JobEvent) => Promise<void> = () => Promise.resolve(),
): EventBook {
  const events: JobEvent[] = [];
  const failures: Error[] = [];
  let confirming = Promise.resolve();
  let release = (): void => {};
  let waiting: { kind: EventKind; count: number; resolve: () => void }[] = [];
  const isReached = ({ kind, count }: { kind: EventKind; count: number }): boolean =>
    events.filter((event) => event.kind === kind).length >= count;

  function add(event: JobEvent): void {
    events.push(event);
    const reached = waiting.filter((one) => one.kind === event.kind && isReached(one));
    waiting = waiting.filter((one) => !reached.includes(one));
    for (const { resolve } of reached) resolve();
  }

  async function record(event: JobEvent): Promise<void> {
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    add(event);
    await confirming;
    await bringOut(event);
  }

  return {
    events,
    kinds: (id) => events.filter((event) => id === undefined || event.id === id).map((event) => event.kind),
    tell: add,
    until(kind, count) {
      if (isReached({ kind, count })) return Promise.resolve();
      return new Promise((resolve) => waiting.push({ kind, count, resolve }));
    },
    recordFor: (event, waiter) =>
      void record(event).then(waiter.resolve.bind(waiter), waiter.reject.bind(waiter)),
    withhold() {
      confirming = new Promise((resolve) => {
        release = resolve;
      });
    },
    release: () => release(),
    failNext: (error) => void failures.push(error),
  };
}
