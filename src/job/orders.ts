/** What operators have asked of the workers: one snapshot of the registers that live in the store. */

/** A job that must not run, or must stop. Holds for this run: a replay is another one. */
export interface CancelOrder {
  readonly id: string;
  readonly run: number;
}

export interface QueueOrder {
  readonly queue: string;
  readonly isPaused: boolean;
  /** Instead of the setting. */
  readonly concurrency?: number;
  /** Jobs that were due by then are cancelled instead of run; in ms since the epoch. */
  readonly purgedThroughMs?: number;
}

export interface Orders {
  readonly cancels: readonly CancelOrder[];
  /** Queues without an order are not listed. */
  readonly queues: readonly QueueOrder[];
}
