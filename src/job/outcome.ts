/** How an attempt can end, and what is told of a failure. Decided in `retry`, carried out by `worker/execute`. */

/** An error as data: what is kept of whatever a handler threw. Lengths are capped where it is made. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
}

/**
 * `permanent`: no attempt can help. `exhausted`: the last attempt failed. `expired`: `expiresAt` had passed. `undecodable`: not a
 * job. `delivery_limit`: its process ended too often while it ran; the engine itself says so, with the word of RabbitMQ.
 */
export const deathReasons = ['permanent', 'exhausted', 'expired', 'undecodable', 'delivery_limit'] as const;
export type DeathReason = (typeof deathReasons)[number];

export type Outcome =
  | { readonly kind: 'succeeded'; readonly result: unknown }
  | { readonly kind: 'retried'; readonly delayMs: number; readonly failure: Failure }
  | { readonly kind: 'dead'; readonly reason: DeathReason; readonly failure: Failure }
  | { readonly kind: 'cancelled'; readonly failure: Failure };

/** Written into the dead letter beside the job itself. */
export interface Death {
  readonly reason: DeathReason;
  readonly failure: Failure;
  readonly atMs: number;
  /** When the attempt began that ended so; absent: none did, or nobody who knows has told. */
  readonly startedAtMs?: number;
}
