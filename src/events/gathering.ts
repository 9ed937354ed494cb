/** When the events that wait make a batch: at once where something would have to wait for it, else together with those that follow. */
import type { Clock } from '../runtime/clock.js';
import type { Pending } from './pending.js';

/**
 * What nobody waits for gathers for so long after the batch before it. Each batch costs the broker a message and the recorder a
 * transaction, of which a busy `serve` would otherwise make hundreds a second; a crash can lose that much of acceptances.
 */
const GATHER_MS = 20;
/**
 * What somebody waits for gathers for so long after the batch before it, while other jobs wait in hand for a slot: their ends are near,
 * and an ack a moment later keeps none from running. Sent with each confirm, batches of a few jobs cost more than these.
 */
const AWAITED_MS = 10;

export interface Gathering {
  /** Whether they are to leave now. If not, `over` is called when they are, at the latest. */
  isOver(): boolean;
  /** A batch has left. */
  sent(): void;
  callOff(): void;
}

export interface GatheringOptions {
  readonly pending: Pick<Pending, 'size' | 'isFull' | 'isAwaited'>;
  /** Jobs in hand wait for a slot. */
  readonly hasWaiting: () => boolean;
  readonly clock: Clock;
  readonly over: () => void;
}

export function createGathering({ pending, hasWaiting, clock, over }: GatheringOptions): Gathering {
  let sentAtMs = Number.NEGATIVE_INFINITY;
  /** When `over` is called. */
  let overAtMs = Number.POSITIVE_INFINITY;
  let callOffTimer = (): void => {};

  function callOff(): void {
    callOffTimer();
    overAtMs = Number.POSITIVE_INFINITY;
  }

  /** None or less: now. */
  function msLeft(): number {
    const sinceMs = clock.now() - sentAtMs;
    if (sinceMs < 0 || pending.isFull) return 0; // the clock can be set back
    if (!pending.isAwaited) return GATHER_MS - sinceMs;
    return hasWaiting() ? AWAITED_MS - sinceMs : 0;
  }

  function callIn(ms: number): void {
    const atMs = clock.now() + ms;
    if (atMs >= overAtMs || pending.size === 0) return;
    callOff();
    overAtMs = atMs;
    callOffTimer = clock.after(ms, () => {
      overAtMs = Number.POSITIVE_INFINITY;
      over();
    });
  }

  return {
    isOver() {
      const ms = msLeft();
      if (ms > 0) callIn(ms);
      return ms <= 0;
    },
    sent() {
      sentAtMs = clock.now();
    },
    callOff,
  };
}
