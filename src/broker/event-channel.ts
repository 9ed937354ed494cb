/** The part of the broker port that carries job events to the recorder, and the news that registers have changed to everyone. */
import type { Consumer } from './consumer.js';
import type { DeadLetter } from './stock.js';

export interface EventChannel {
  /**
   * Sends one batch of events. Holds on through outages, alarms and reconnects until it is durable; `withdraw` takes it back (then
   * `done` never settles). It can arrive twice, and batches can overtake each other.
   */
  publish(batch: Buffer): { readonly done: Promise<void>; withdraw(): void };

  /** Delivers the batches of all sources, at most `prefetch` unsettled at a time, until cancelled. Several recorders share them. */
  consume(prefetch: number, deliver: (delivery: BatchDelivery) => void): Promise<Consumer>;

  /**
   * Delivers the dead letters, which are events themselves: once acked, the engine has forgotten them. A dead letter that is acked is
   * in the store.
   */
  consumeDead(prefetch: number, deliver: (delivery: LetterDelivery) => void): Promise<Consumer>;

  /** Tells every process on this broker, this one included, that registers have changed. Best effort: a lost one costs only time. */
  announce(): Promise<void>;

  /**
   * Calls `listener` at each announcement, and after each reconnect, as an announcement may have been missed. Resolves once no
   * later announcement can be missed. Returns how to stop it.
   */
  onAnnouncement(listener: () => void): Promise<() => void>;

  /** Calls `listener` whenever the broker begins or ends to hold back publishes (`stats.isBlocked`). Returns how to stop it. */
  onBlocked(listener: (isBlocked: boolean) => void): () => void;
}

/** As a `Delivery`: settle it once; `Lost` when it is gone with its channel and comes again. */
export interface BatchDelivery {
  readonly batch: Buffer;
  ack(): Promise<void>;
  /** Not now: back to the queue. */
  return(): Promise<void>;
}

export interface LetterDelivery {
  readonly letter: DeadLetter;
  ack(): Promise<void>;
  return(): Promise<void>;
}
