/** How many unsettled deliveries a lane may hand us, and what is said when a job may outlast the broker's patience. */
import { type Lane, lanes } from '../job/job.js';
import type { Measured } from './job-time.js';
import { leastShare, type PerLane } from './lane.js';

/** RabbitMQ closes a channel on which a delivery stays unsettled for longer (`consumer_timeout`, 30 minutes unless changed). */
export const usualConsumerTimeoutMs = 30 * 60_000;

/** Waiting jobs that hide the round trip to the broker when handlers are fast. */
const ROUND_TRIP_JOBS = 32;

/**
 * From the end of a job to its ack: its event waits for the batch before it, travels, and is confirmed. Till then the job is in
 * our hands without taking a slot, so that fast jobs need more in hand than slow ones: so many ms at most, as a rule.
 */
const EVENT_ROUND_TRIP_MS = 20;
/** A process ends no more jobs in that time, however many slots it has: about 50,000 a second. */
const MOST_ENDED = 1024;

export interface PrefetchNeed {
  readonly concurrency: number;
  /** Time limit of an attempt in ms: how long a slot may be taken, as long as nothing is known of the jobs. */
  readonly timeoutMs: number;
  /** How long the jobs take. */
  readonly measured?: Measured | undefined;
  readonly consumerTimeoutMs: number;
  /** WORKER_PREFETCH: taken as it is, for every lane. */
  readonly override?: number | undefined;
}

/**
 * The prefetch of each lane: enough to keep every slot busy while events of ended jobs are on their way, and so few that the last of
 * them is started within half the consumer timeout even if every job takes twice the slowest that was seen (its whole `timeoutMs`
 * where none was) and the other lanes are full. Never fewer than the slots: a lane alone must be able to fill them all.
 *
 * The last of P waiting jobs is started after P / (share * concurrency) rounds of that time, `share` from `lane`.
 */
export function prefetchOf(need: PrefetchNeed): PerLane<number> {
  const { concurrency, timeoutMs, measured, consumerTimeoutMs, override } = need;
  const perSlot = Math.ceil(EVENT_ROUND_TRIP_MS / Math.max(1, measured?.meanMs ?? 1));
  const longestMs = measured === undefined ? timeoutMs : Math.max(1, 2 * measured.slowestMs);
  const toStart = Math.max(2 * concurrency, concurrency + Math.min(ROUND_TRIP_JOBS, concurrency * perSlot));
  const wanted = toStart + Math.min(concurrency * perSlot, MOST_ENDED);
  const ofLane = (lane: Lane): number => {
    const startable = Math.floor((leastShare[lane] * concurrency * consumerTimeoutMs) / 2 / longestMs);
    return override ?? Math.max(concurrency, Math.min(wanted, startable));
  };
  return { high: ofLane('high'), normal: ofLane('normal'), low: ofLane('low') };
}

/** Whether a prefetch is so far from another that it is worth to consume anew. */
export function differs(one: PerLane<number>, other: PerLane<number>): boolean {
  return lanes.some((lane) => 2 * one[lane] >= 3 * other[lane] || 2 * other[lane] >= 3 * one[lane]);
}

/** Deliveries of one queue that may be in our hands at the same time. */
export function totalPrefetch(prefetch: PerLane<number>): number {
  return lanes.reduce((total, lane) => total + prefetch[lane], 0);
}

/** What to say about a time limit beyond the broker's patience, or undefined when it is within. */
export function timeoutWarning(timeoutMs: number, consumerTimeoutMs: number): string | undefined {
  if (timeoutMs < consumerTimeoutMs) return undefined;
  return (
    `the time limit of ${timeoutMs} ms is not below the broker's consumer timeout of ${consumerTimeoutMs} ms: a job that ` +
    "runs so long is delivered again while it runs; shorten the limit or raise RabbitMQ's consumer_timeout"
  );
}
