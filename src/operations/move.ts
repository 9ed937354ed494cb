/** Moves the stock of one engine into another, and keeps account of it. */

import {
  type Stock,
  type StockSource,
  type StockTarget,
  type Tally,
  unknownQueues,
} from '../broker/stock.js';
import { SluiceError } from '../job/errors.js';

export interface MoveOptions {
  readonly source: StockSource;
  readonly target: StockTarget;
  /** The queues of the target. */
  readonly queues: readonly string[];
  /** Ends it between two parcels. */
  readonly signal: AbortSignal;
  /** What is about to be moved. */
  readonly onStart: (stock: Stock) => void;
  /** What is safe in the target so far; called for each parcel. */
  readonly onMoved: (moved: Tally) => void;
}

export interface Moved {
  readonly moved: Tally;
  /** What the source still holds; undefined when it cannot be asked any more. */
  readonly left: Tally | undefined;
  /** What ended it before its time. */
  readonly failure: Error | undefined;
}

/**
 * Starts both sides and stops them. After an end of any kind it can be called again, and goes on with what is left.
 * @throws Invalid  before anything has moved: a side is refused, or jobs wait for queues that the target does not have
 * @throws Unavailable  before anything has moved: a side cannot be opened
 */
export async function move(options: MoveOptions): Promise<Moved> {
  const { source, target, signal } = options;
  const moved = { waiting: 0, delayed: 0, suspect: 0, dead: 0 };
  // What is under way to a target that does not answer must not hold up the end.
  const stopTarget = (): void => void target.stop();
  try {
    await source.start();
    const stock = await source.count();
    const unknown = stock.queues.filter((queue) => !options.queues.includes(queue));
    if (unknown.length > 0) throw unknownQueues(unknown);
    await target.start();
    options.onStart(stock);
    signal.addEventListener('abort', stopTarget, { once: true });
    if (signal.aborted) stopTarget();
    const failure = await source
      .drain(async (parcel) => {
        await target.put(parcel);
        moved[parcel.kind] += 1;
        options.onMoved(moved);
      }, signal)
      .then(
        () => undefined,
        (error: unknown) => (isOfTheStop(error, signal) ? undefined : asError(error)),
      );
    const left = await source.count().then(
      ({ counts }) => counts,
      () => undefined,
    );
    return { moved, left, failure };
  } finally {
    signal.removeEventListener('abort', stopTarget);
    await target.stop();
    await source.stop();
  }
}

/** Parcels that the target gives up because it is told to stop are no failure: they stay in the source. */
function isOfTheStop(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && error instanceof SluiceError;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
