/** The events that wait for the next batch: bounded, and rid of what a later one that waits says better. */
import type { JobEvent } from '../job/event.js';
import { createTurnoverMap, type TurnoverMap } from '../runtime/turnover-map.js';

/** Of all that waits; beyond it the oldest `started` or `progressed` is dropped. */
export const MOST_PENDING = 100_000;
/** Of one batch, so that neither a message nor a transaction of the recorder grows with the backlog. */
export const MOST_EVENTS = 1000;
const MOST_CHARACTERS = 1_048_576;
const CHARACTERS_WITHOUT_TEXTS = 120;

/** Who waits until an event is durable. */
export interface Waiter {
  resolve(): void;
  reject(reason: Error): void;
}

export interface Taken {
  readonly events: JobEvent[];
  readonly waiters: readonly Waiter[];
}

export interface Pending {
  readonly size: number;
  /** Enough for a whole batch. */
  readonly isFull: boolean;
  /** Somebody waits for one of them. */
  readonly isAwaited: boolean;
  /** What was dropped for want of room, since the beginning: `started` and `progressed`, at last acceptances too. */
  readonly dropped: number;
  add(event: JobEvent, waiter?: Waiter): void;
  /** The next batch, oldest first. `onlyFirm`: without what may be lost. */
  take(onlyFirm: boolean): Taken;
}

interface Entry {
  readonly event: JobEvent;
  readonly waiter: Waiter | undefined;
}

/** @param mostEvents  of one batch */
export function createPending(mostEvents = MOST_EVENTS): Pending {
  /** Must arrive. Those that somebody waits for are bounded by what may run at a time, the others here. */
  let firm: Entry[] = [];
  /** Nice to know: the newest of each job, oldest first. */
  const started = createTurnoverMap<string, JobEvent>();
  const progressed = createTurnoverMap<string, JobEvent>();
  let dropped = 0;
  let waiters = 0;

  const size = (): number => firm.length + started.size + progressed.size;

  function addLoose(waiting: TurnoverMap<string, JobEvent>, event: JobEvent): void {
    waiting.delete(event.id);
    waiting.set(event.id, event);
    if (size() <= MOST_PENDING) return;
    const fuller = started.size < progressed.size ? progressed : started;
    for (const [id] of fuller.entries()) {
      fuller.delete(id);
      dropped++;
      return;
    }
  }

  function takeFirm(): Entry[] {
    let count = 0;
    let characters = 0;
    for (const { event } of firm) {
      characters += charactersOf(event);
      if (count === mostEvents || (count > 0 && characters > MOST_CHARACTERS)) break;
      count++;
    }
    if (count < firm.length) return firm.splice(0, count);
    const all = firm;
    firm = [];
    return all;
  }

  function takeLoose(waiting: TurnoverMap<string, JobEvent>, events: JobEvent[]): void {
    for (const [id, event] of waiting.entries()) {
      if (events.length >= mostEvents) return;
      waiting.delete(id);
      events.push(event);
    }
  }

  return {
    get size() {
      return size();
    },
    get isFull() {
      return size() >= mostEvents;
    },
    get isAwaited() {
      return waiters > 0;
    },
    get dropped() {
      return dropped;
    },
    add(event, waiter) {
      if (event.kind === 'started') return addLoose(started, event);
      if (event.kind === 'progressed') return addLoose(progressed, event);
      // The spool is full as well. The job is there, and its later events imply its acceptance.
      if (waiter === undefined && firm.length >= 2 * MOST_PENDING) {
        dropped++;
        return;
      }
      firm.push({ event, waiter });
      if (waiter !== undefined) waiters++;
      // The end of an attempt says when it began.
      const begun = started.get(event.id);
      if (begun !== undefined && event.kind !== 'accepted' && orderOf(begun) <= orderOf(event))
        started.delete(event.id);
    },
    take(onlyFirm) {
      const entries = takeFirm();
      const events = entries.map(({ event }) => event);
      const taken = entries.flatMap(({ waiter }) => waiter ?? []);
      waiters -= taken.length;
      if (!onlyFirm) {
        takeLoose(started, events);
        takeLoose(progressed, events);
      }
      return { events, waiters: taken };
    },
  };
}

function orderOf({ run, attempt }: JobEvent): number {
  return run * 2 ** 30 + attempt;
}

function charactersOf(event: JobEvent): number {
  let characters = CHARACTERS_WITHOUT_TEXTS;
  if ('result' in event) characters += event.result?.length ?? 0;
  if ('payload' in event) characters += event.payload?.length ?? 0;
  if ('failure' in event) characters += event.failure.message.length + (event.failure.stack?.length ?? 0);
  return characters;
}
