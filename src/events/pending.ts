/** The events that wait for the next batch: bounded, and rid of what a later one of the same batch says better. */
import type { JobEvent } from '../job/event.js';

/** Of all that waits; beyond it the oldest `started` and `progressed` are dropped. */
export const MOST_PENDING = 100_000;
const DROP_AT_ONCE = 1000;
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
  /** `started` and `progressed` that were dropped for want of room, since the beginning. */
  readonly dropped: number;
  add(event: JobEvent, waiter?: Waiter): void;
  /** The next batch, oldest first. `onlyFirm`: without what may be lost. */
  take(onlyFirm: boolean): Taken;
}

interface Entry {
  readonly event: JobEvent;
  readonly waiter: Waiter | undefined;
}

export function createPending(): Pending {
  /** Must arrive. Their number is bounded by what may be accepted and run at a time. */
  let firm: Entry[] = [];
  /** `started` and `progressed`: nice to know. */
  let loose: JobEvent[] = [];
  let dropped = 0;

  function takeFirm(): Entry[] {
    let count = 0;
    let characters = 0;
    for (const { event } of firm) {
      characters += charactersOf(event);
      if (count === MOST_EVENTS || (count > 0 && characters > MOST_CHARACTERS)) break;
      count++;
    }
    if (count < firm.length) return firm.splice(0, count);
    const all = firm;
    firm = [];
    return all;
  }

  function takeLoose(most: number): JobEvent[] {
    if (most < loose.length) return loose.splice(0, most);
    const all = loose;
    loose = [];
    return all;
  }

  return {
    get size() {
      return firm.length + loose.length;
    },
    get dropped() {
      return dropped;
    },
    add(event, waiter) {
      if (event.kind !== 'started' && event.kind !== 'progressed') {
        firm.push({ event, waiter });
        return;
      }
      if (firm.length + loose.length >= MOST_PENDING) dropped += loose.splice(0, DROP_AT_ONCE).length;
      if (firm.length + loose.length < MOST_PENDING) loose.push(event);
      else dropped++;
    },
    take(onlyFirm) {
      const entries = takeFirm();
      const events = entries.map(({ event }) => event);
      const waiters = entries.flatMap(({ waiter }) => waiter ?? []);
      if (onlyFirm || loose.length === 0) return { events, waiters };
      const more = takeLoose(MOST_EVENTS - entries.length);
      return { events: [...withoutOutdated(more, events), ...events], waiters };
    },
  };
}

/** Without `started` of attempts whose end is among `firm`, and with the newest `progressed` of each job alone. */
function withoutOutdated(loose: readonly JobEvent[], firm: readonly JobEvent[]): JobEvent[] {
  const ended = new Map<string, number>();
  for (const event of firm) {
    if (event.kind !== 'accepted' && event.kind !== 'replayed') ended.set(event.id, orderOf(event));
  }
  const progressed = new Set<string>();
  const kept: JobEvent[] = [];
  for (const event of loose.toReversed()) {
    if (event.kind === 'progressed') {
      if (progressed.has(event.id)) continue;
      progressed.add(event.id);
    } else if ((ended.get(event.id) ?? 0) >= orderOf(event)) continue;
    kept.push(event);
  }
  return kept.reverse();
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
