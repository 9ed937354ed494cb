/** The operations of the thread as typed calls, and its failures as the errors of the port. */
import { OutcomeUnknown, Unavailable } from '../../job/errors.js';
import type { Clock } from '../../runtime/clock.js';
import { SqliteFailure } from '../../runtime/sqlite-failure.js';
import type { SqliteThread } from '../../runtime/sqlite-thread.js';
import type { FetchEvents, FetchedBatches, FetchedLetters } from './event-operations.js';
import type {
  Bury,
  Counted,
  Fetch,
  Fetched,
  Place,
  Promote,
  Promoted,
  Publish,
  Retry,
  TakeSuspect,
} from './operations.js';
import type { Placing } from './places.js';
import type { Opened, Opening } from './recovery.js';

/** Each rejects with `SqliteFailure`. */
export interface Storage {
  open(opening: Opening): Promise<Opened>;
  publish(publish: Publish, body: Buffer): Promise<Placing | undefined>;
  fetch(fetch: Fetch): Promise<Fetched>;
  ack(place: Place): Promise<void>;
  retry(retry: Retry, body: Buffer): Promise<Placing | undefined>;
  bury(bury: Bury): Promise<void>;
  suspect(take: TakeSuspect): Promise<Fetched>;
  promote(promote: Promote): Promise<Promoted>;
  count(): Promise<Counted>;
  publishBatch(batch: Buffer): Promise<Placing>;
  fetchBatches(fetch: FetchEvents): Promise<FetchedBatches>;
  ackBatch(number: number): Promise<void>;
  fetchLetters(fetch: FetchEvents): Promise<FetchedLetters>;
  ackLetter(number: number): Promise<void>;
  /** No space was left a moment ago: publishes are held back, so that what ends jobs finds room. */
  isFull(): boolean;
  /** What failed a moment ago, for `health`. */
  fault(): string | undefined;
}

/** This module's own file, for the thread to load. */
export const operationsUrl: string = new URL(
  import.meta.url.endsWith('.ts') ? './operations.ts' : './operations.js',
  import.meta.url,
).href;

/** After this long publishes are let through again, to see whether there is room. */
const FULL_FOR_MS = 1_000;
const FAULT_FOR_MS = 5_000;

/** @param foundFull  called whenever an operation has found no space */
export function createStorage(thread: SqliteThread, clock: Clock, foundFull: () => void): Storage {
  let fullAtMs = Number.NEGATIVE_INFINITY;
  let faulted: { readonly message: string; readonly atMs: number } | undefined;

  /** Over, too, when the clock was set back meanwhile: that could be by years. */
  function isWithin(ms: number, sinceMs: number): boolean {
    const passedMs = clock.now() - sinceMs;
    return passedMs >= 0 && passedMs < ms;
  }

  function call(operation: string, argument: unknown, bytes?: Buffer): Promise<unknown> {
    return thread.run(operation, argument, bytes).catch(noted);
  }

  function noted(error: unknown): never {
    if (error instanceof SqliteFailure) note(error);
    throw error;
  }

  function note({ kind, message }: SqliteFailure): void {
    if (kind === 'fault' || kind === 'ended') return;
    faulted = { message, atMs: clock.now() };
    if (kind !== 'full') return;
    fullAtMs = clock.now();
    foundFull();
  }

  return {
    open: (opening) => call('engine.open', opening) as Promise<Opened>,
    publish: (publish, body) => call('engine.publish', publish, body) as Promise<Placing | undefined>,
    fetch: (fetch) => call('engine.fetch', fetch) as Promise<Fetched>,
    ack: (place) => call('engine.ack', place) as Promise<void>,
    retry: (retry, body) => call('engine.retry', retry, body) as Promise<Placing | undefined>,
    bury: (bury) => call('engine.bury', bury) as Promise<void>,
    suspect: (take) => call('engine.suspect', take) as Promise<Fetched>,
    promote: (promote) => call('engine.promote', promote) as Promise<Promoted>,
    count: () => call('engine.count', undefined) as Promise<Counted>,
    publishBatch: (batch) => call('events.publish', undefined, batch) as Promise<Placing>,
    fetchBatches: (fetch) => call('events.fetch', fetch) as Promise<FetchedBatches>,
    ackBatch: (number) => call('events.ack', number) as Promise<void>,
    fetchLetters: (fetch) => call('dead.fetch', fetch) as Promise<FetchedLetters>,
    ackLetter: (number) => call('dead.ack', number) as Promise<void>,
    isFull: () => isWithin(FULL_FOR_MS, fullAtMs),
    fault: () =>
      faulted !== undefined && isWithin(FAULT_FOR_MS, faulted.atMs) ? faulted.message : undefined,
  };
}

/** What a caller of the port is told. */
export function portError(error: unknown): Error {
  if (!(error instanceof SqliteFailure)) return error instanceof Error ? error : new Error(String(error));
  return error.kind === 'io'
    ? new OutcomeUnknown(`outcome unknown: ${error.message}`, { cause: error })
    : new Unavailable(error.message, { cause: error });
}
