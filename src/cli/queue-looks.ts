/** Looks at the queues again and again, through outages of the server. */
import type { QueueView } from '../api/queues.js';
import { SluiceConnectionError, SluiceHttpError } from '../client/errors.js';
import type { Queues } from '../client/queues.js';
import { type Clock, sleep } from '../runtime/clock.js';

export interface Look {
  /** When the queues stood like this, in ms since the epoch. */
  readonly atMs: number;
  readonly views: readonly QueueView[];
  /** The server does not answer any more, and this is what was seen last. */
  readonly outage?: { readonly reason: unknown; readonly forMs: number };
}

/**
 * One look per interval, until the signal aborts.
 * @throws  what the first look throws, and later a refusal that will not pass by itself, such as that of a key
 */
export async function* looksAt(
  queues: Pick<Queues, 'list'>,
  {
    clock,
    intervalMs,
    signal,
  }: { readonly clock: Clock; readonly intervalMs: number; readonly signal: AbortSignal },
): AsyncGenerator<Look, void, undefined> {
  let last: Look | undefined;
  while (!signal.aborted) {
    try {
      const views = await queues.list({ signal });
      last = { atMs: clock.now(), views };
      yield last;
    } catch (error) {
      if (signal.aborted) return;
      if (last === undefined || !mayPass(error)) throw error;
      yield { ...last, outage: { reason: error, forMs: clock.now() - last.atMs } };
    }
    await sleep(clock, intervalMs, signal);
  }
}

function mayPass(error: unknown): boolean {
  if (error instanceof SluiceConnectionError) return true;
  return error instanceof SluiceHttpError && (error.status >= 500 || error.status === 429);
}
