/** What an operator sees of queues, and may order them: over the broker's counts and the store's. */
import type { QueueOrdered, QueueView } from '../api/queues.js';
import type { Broker, Inspection } from '../broker/broker.js';
import { type Lane, lanes } from '../job/job.js';
import type { QueueOrder } from '../job/orders.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import { createSpacedLook } from '../runtime/spaced-look.js';
import type { Recording, StateCount, Store } from '../store/store.js';
import { forecastOf } from './forecast.js';

export interface QueuesOptions {
  /** The closed set. */
  readonly queues: readonly string[];
  readonly broker: Pick<Broker, 'inspect'> & { readonly events: Pick<Broker['events'], 'announce'> };
  readonly store: Pick<Store, 'jobs' | 'registers'>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Queues {
  readonly names: readonly string[];
  /** Counts of at most a few seconds ago. @throws Unavailable  @throws StoreUnavailable */
  list(): Promise<readonly QueueView[]>;
  /** Undefined when there is no such queue. @throws as `list` */
  get(name: string): Promise<QueueView | undefined>;
  /** For one of `names`. Stored when it resolves, and obeyed by all workers at once, also after restarts. @throws StoreUnavailable */
  order(name: string, change: QueueChange): Promise<QueueOrdered>;
}

export type QueueChange =
  | { readonly kind: 'pause' | 'resume' | 'purge' }
  | { readonly kind: 'concurrency'; readonly concurrency: number | null };

/** Counting a million rows takes a moment, and several people and Prometheus look at the same time. */
const FRESH_MS = 2_000;
const RATE_WINDOW_MS = 60_000;
const BUCKET_MS = 10_000;

export function createQueues({ queues, broker, store, clock, log }: QueuesOptions): Queues {
  const views = createSpacedLook(look, { clock, freshMs: FRESH_MS });

  async function look(): Promise<readonly QueueView[]> {
    const nowMs = clock.now();
    // From the beginning of a bucket, so that none is counted in part.
    const sinceMs = Math.floor((nowMs - RATE_WINDOW_MS) / BUCKET_MS) * BUCKET_MS;
    const [inspection, counts, flow, orders] = await Promise.all([
      broker.inspect(),
      store.jobs.counts(nowMs),
      store.jobs.flow(sinceMs),
      store.registers.orders(),
    ]);
    const seconds = (nowMs - sinceMs) / 1_000;
    return queues.map((name) =>
      viewOf({
        name,
        nowMs,
        seconds,
        inspection,
        counts: counts.filter(({ queue }) => queue === name),
        flow: flow.filter(({ queue }) => queue === name),
        order: orders.queues.find(({ queue }) => queue === name),
      }),
    );
  }

  return {
    names: queues,
    list: () => views.see(),
    async get(name) {
      return (await views.see()).find((view) => view.name === name);
    },
    async order(name, change) {
      const ordered = await store.registers.orderQueue(name, asOrder(change, clock.now()));
      views.forget();
      log.info({ queue: name, ...change }, 'an operator has changed a queue');
      // Stored already: whoever misses the announcement reads it within half a minute.
      await broker.events
        .announce()
        .catch((error: unknown) => log.warn({ err: error }, 'the workers could not be told at once'));
      return orderedOf(ordered);
    },
  };
}

function asOrder(
  change: QueueChange,
  nowMs: number,
): { isPaused?: boolean; concurrency?: number | null; purgedThroughMs?: number } {
  switch (change.kind) {
    case 'pause':
      return { isPaused: true };
    case 'resume':
      return { isPaused: false };
    case 'purge':
      return { purgedThroughMs: nowMs };
    case 'concurrency':
      return { concurrency: change.concurrency };
  }
}

function orderedOf({ queue, isPaused, concurrency, purgedThroughMs }: QueueOrder): QueueOrdered {
  return {
    name: queue,
    isPaused,
    concurrency: concurrency ?? null,
    purgedThrough: purgedThroughMs === undefined ? null : new Date(purgedThroughMs).toISOString(),
  };
}

interface Look {
  readonly name: string;
  readonly nowMs: number;
  readonly seconds: number;
  readonly inspection: Inspection;
  readonly counts: readonly StateCount[];
  readonly flow: Recording['flow'];
  readonly order: QueueOrder | undefined;
}

function viewOf({ name, nowMs, seconds, inspection, counts, flow, order }: Look): QueueView {
  const own = inspection.lanes.filter(({ queue }) => queue === name);
  const ready = (lane: Lane): number => own.find((one) => one.lane === lane)?.ready ?? 0;
  const total = lanes.reduce((sum, lane) => sum + ready(lane), 0);
  const inState = (...states: readonly string[]): number =>
    counts.filter(({ state }) => states.includes(state)).reduce((sum, { count }) => sum + count, 0);
  const oldestDueMs = Math.min(
    ...counts.filter(({ state }) => state === 'queued').map((one) => one.oldestDueMs),
  );
  const rate = (pick: (one: Recording['flow'][number]) => number): number =>
    Math.round((flow.reduce((sum, one) => sum + pick(one), 0) / seconds) * 100) / 100;
  const acceptedPerSecond = rate((one) => one.accepted);
  const drainedPerSecond = rate((one) => one.succeeded + one.dead + one.cancelled);
  const active = inState('active');
  const isPaused = order?.isPaused ?? false;
  // The broker's count is of now, the store's also knows what workers hold ready and have not begun.
  const waiting = Math.max(total, inState('queued'));
  const { state, emptyInMs } = forecastOf({
    backlog: waiting + active,
    acceptedPerSecond,
    drainedPerSecond,
    isPaused,
  });
  return {
    name,
    depth: { high: ready('high'), normal: ready('normal'), low: ready('low'), total },
    scheduled: inState('scheduled', 'retrying'),
    active,
    dead: inState('dead'),
    consumers: own.reduce((sum, { consumers }) => sum + consumers, 0),
    oldestAgeMs: Number.isFinite(oldestDueMs) ? Math.max(0, nowMs - oldestDueMs) : null,
    acceptedPerSecond,
    drainedPerSecond,
    forecast: {
      state,
      emptyInMs,
      emptyAt: emptyInMs === null ? null : isoOf(nowMs + emptyInMs),
    },
    isPaused,
    concurrency: order?.concurrency ?? null,
  };
}

/** A pace near zero can lead beyond what a date can say. */
function isoOf(ms: number): string | null {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
