/**
 * The stock of an engine: all that waits in it, of every queue, as one flow into another engine. A parcel leaves its source
 * only once it is durable in its target, so an end in the middle can duplicate it, never lose it, and the next run goes on.
 */
import type { Envelope } from '../job/codec.js';
import { Invalid } from '../job/errors.js';
import type { Job } from '../job/job.js';
import type { Death } from '../job/outcome.js';
import type { Service } from '../runtime/service.js';

export type Parcel =
  | { readonly kind: 'waiting' | 'delayed' | 'suspect'; readonly job: Job }
  | { readonly kind: 'dead'; readonly letter: DeadLetter };

/** A job that died, or a message that never was a job: not decoded, so that its bytes and headers arrive as they are. */
export interface DeadLetter extends Envelope {
  /** Where it died; not checked. */
  readonly queue: string;
  readonly lane: string;
  /** Of what never was a job: what its sender said its bytes are. */
  readonly contentType?: string;
  readonly death: Death;
}

export type Tally = Readonly<Record<Parcel['kind'], number>>;

export interface Stock {
  readonly counts: Tally;
  /** Queues in which jobs wait, as far as the engine can tell. RabbitMQ can be asked only for those it was given. */
  readonly queues: readonly string[];
  /** Workers' subscriptions. */
  readonly consumers: number;
}

/** Once started, no other move takes from the same place. Nothing is made that is not there already. */
export interface StockSource extends Service {
  /** As of now. What is in the hands of workers is not counted. @throws Unavailable */
  count(): Promise<Stock>;
  /**
   * Hands out everything, each lane in its order, and removes what `put` has resolved for, nothing else. Calls `put` again
   * for what was in hand when a connection was lost. Bounded: a few hundred parcels are in hand at a time. Resolves when
   * nothing is left or `signal` is aborted, in both cases with no `put` under way.
   * @throws what `put` rejects with; @throws Invalid  code `unknown_queue`: a delayed job is for a queue it was not given
   */
  drain(put: (parcel: Parcel) => Promise<void>, signal: AbortSignal): Promise<void>;
}

export interface StockTarget extends Service {
  /**
   * Resolves once it is durable: a job in its lane or held back until `dueAtMs`, a suspect among the suspects, a dead letter
   * among the dead. Waits while the engine takes nothing; `stop` puts an end to that.
   * @throws Invalid  there is no such queue  @throws Unavailable
   */
  put(parcel: Parcel): Promise<void>;
}

/** What to do about jobs of queues that this process was not told of. */
export function unknownQueues(names: readonly string[]): Invalid {
  return new Invalid(
    'unknown_queue',
    `jobs wait for queues that are not known here: ${names.map((name) => JSON.stringify(name)).join(', ')}; set HANDLERS as your workers have it, or add the names to QUEUES (between commas), then run it again`,
  );
}
