/**
 * The recorder: takes event batches and dead letters from the broker, writes them to the store, and acks what is written. No timer:
 * a write begins as soon as fewer than `writes` are under way, with all that has arrived by then. While the store is away the
 * deliveries stay in hand, everything else waits in the broker.
 */
import type { Consumer } from '../broker/broker.js';
import type { EventChannel } from '../broker/event-channel.js';
import { Lost, StoreUnavailable } from '../job/errors.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Health, Service } from '../runtime/service.js';
import type { Store } from '../store/store.js';
import { apply } from './apply.js';
import { type Item, itemOfBatch, itemOfLetter, takeFitting, unreadItem } from './inbox.js';

export interface RecorderOptions {
  readonly channel: Pick<EventChannel, 'consume' | 'consumeDead'>;
  readonly store: Pick<Store, 'kind' | 'records'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Transactions at a time; by default 2 on PostgreSQL, and 1 on SQLite, which has one writer. */
  readonly writes?: number;
  /** Batches in hand at most. */
  readonly prefetch?: number;
  /** Dead letters in hand at most: each is as large as a job may be. */
  readonly deadPrefetch?: number;
  /** Of one transaction. */
  readonly mostEvents?: number;
  readonly mostBytes?: number;
}

export interface Recorder extends Service {
  readonly stats: Readonly<RecorderStats>;
  /** Whether what happens is being recorded. */
  health(): Health;
}

export interface RecorderStats {
  /** How old the oldest batch in hand is, or the last one was when it was recorded, in ms; by the clock of its source. */
  lagMs: number;
  /** Events that are in the store. */
  recorded: number;
  /** Batches and dead letters in hand. */
  held: number;
  /** What could not be recorded and is kept with its bytes. */
  quarantined: number;
  /** Transactions, tried ones included. */
  writes: number;
}

const PREFETCH = 64;
const DEAD_PREFETCH = 16;
const MOST_EVENTS = 4_096;
const MOST_BYTES = 8 * 1024 * 1024;
/** What the thread of an SQLite file takes in at a time: some hundred events, a few ms, for which publishes wait. */
const MOST_UNREAD_BYTES = 32 * 1024;
const RETRY_BASE_MS = 250;
const RETRY_MAX_MS = 5_000;
/** How long `stop` goes on writing what is in hand; the rest goes back to the broker. */
const STOP_PATIENCE_MS = 5_000;
/** How long it waits then for a write whose database does not answer. What it had in hand comes again, which does no harm. */
const LAST_WRITE_MS = 2_000;

export function createRecorder(options: RecorderOptions): Recorder {
  const { channel, store, clock, log, prefetch = PREFETCH, deadPrefetch = DEAD_PREFETCH } = options;
  const mostWrites = options.writes ?? (store.kind === 'postgres' ? 2 : 1);
  const isReadByStore = store.records.recordBatches !== undefined;
  const read = isReadByStore ? unreadItem : itemOfBatch;
  const mostBytes = options.mostBytes ?? (isReadByStore ? MOST_UNREAD_BYTES : MOST_BYTES);
  const bounds = { events: options.mostEvents ?? MOST_EVENTS, bytes: mostBytes };
  const waiting: Item[] = [];
  const underWay = new Set<readonly Item[]>();
  const counts = { recorded: 0, quarantined: 0, writes: 0 };
  const stopping = new AbortController();
  let lastLagMs = 0;
  let isScheduled = false;
  let state: 'new' | 'running' | 'stopping' | 'ended' = 'new';
  /** Why nothing can be written; deliveries stay in hand, and one write at a time tries again. */
  let outage: { readonly reason: string; failures: number } | undefined;
  let quiet = (): void => {};

  function take(read: () => Item, giveBack: () => Promise<void>): void {
    if (state === 'ended') return void giveBack().catch(() => {});
    try {
      waiting.push(read());
      schedule();
    } catch (error) {
      // A fault of ours. Held unsettled, it takes a place and comes again to another recorder; nothing is lost.
      log.error({ err: error }, 'a delivery could not be read; it stays in the broker');
    }
  }

  /** At the end of this turn of the loop: what the broker sends in one piece is written as one. */
  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      fill();
    });
  }

  function fill(): void {
    const most = outage === undefined ? mostWrites : 1;
    while (underWay.size < most && waiting.length > 0 && state !== 'ended') {
      void write(takeFitting(waiting, bounds));
    }
    if (underWay.size === 0 && waiting.length === 0) quiet();
  }

  async function write(items: readonly Item[]): Promise<void> {
    underWay.add(items);
    if (await applyInTheEnd(items)) settle(items);
    else for (const { delivery } of items) void delivery.return().catch(() => {});
    underWay.delete(items);
    fill();
  }

  /** Tries until it is in the store; false when the recorder was stopped before. */
  async function applyInTheEnd(items: readonly Item[]): Promise<boolean> {
    for (;;) {
      try {
        counts.writes++;
        const { events, quarantined } = await apply(items, store.records, clock.now());
        counts.recorded += events;
        counts.quarantined += quarantined;
        if (quarantined > 0)
          log.error({ items: quarantined }, 'events could not be recorded; they are in quarantine');
        if (outage !== undefined) log.info({}, 'the store takes events again');
        outage = undefined;
        return true;
      } catch (error) {
        await pause(error);
        if (stopping.signal.aborted) return false;
      }
    }
  }

  async function pause(error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    const failures = (outage?.failures ?? 0) + 1;
    const isNews = outage?.reason !== reason;
    outage = { reason, failures };
    if (!(error instanceof StoreUnavailable)) log.error({ err: error }, 'recording has failed; trying again');
    else if (isNews) log.warn({ reason }, 'the store takes no events; they wait in the broker');
    await sleep(clock, Math.min(RETRY_BASE_MS * 2 ** (failures - 1), RETRY_MAX_MS), stopping.signal);
  }

  function settle(items: readonly Item[]): void {
    lastLagMs = lagOf(items);
    for (const { delivery } of items) {
      delivery.ack().catch((error: unknown) => {
        // Lost: it comes again, and recording it again changes nothing.
        if (!(error instanceof Lost)) log.warn({ err: error }, 'a recorded delivery could not be acked');
      });
    }
  }

  function lagOf(items: readonly Item[]): number {
    const now = clock.now();
    return items.reduce((lag, { sentAtMs = now }) => Math.max(lag, now - sentAtMs), 0);
  }

  let consumers: readonly Consumer[] = [];
  let started: Promise<void> | undefined;
  let stopped: Promise<void> | undefined;

  async function open(): Promise<void> {
    state = 'running';
    consumers = await Promise.all([
      channel.consume(prefetch, (delivery) =>
        take(
          () => read(delivery),
          () => delivery.return(),
        ),
      ),
      channel.consumeDead(deadPrefetch, (delivery) =>
        take(
          () => itemOfLetter(delivery),
          () => delivery.return(),
        ),
      ),
    ]);
  }

  async function close(): Promise<void> {
    await started?.catch(() => {});
    const wasRunning = state === 'running';
    if (wasRunning) state = 'stopping';
    await Promise.all(consumers.map((consumer) => consumer.cancel()));
    if (outage !== undefined) stopping.abort();
    const calm = new Promise<void>((resolve) => {
      quiet = resolve;
    });
    if (wasRunning) {
      fill();
      await waitFor(calm, STOP_PATIENCE_MS);
    }
    state = 'ended';
    stopping.abort();
    await Promise.allSettled(waiting.splice(0).map(({ delivery }) => delivery.return()));
    if (wasRunning && underWay.size > 0) await waitFor(calm, LAST_WRITE_MS);
  }

  async function waitFor(what: Promise<void>, ms: number): Promise<void> {
    const late = new AbortController();
    await Promise.race([what, sleep(clock, ms, late.signal)]);
    late.abort();
  }

  return {
    stats: {
      get lagMs() {
        const held = [...waiting, ...[...underWay].flat()];
        return held.length === 0 ? lastLagMs : lagOf(held);
      },
      get held() {
        return [...underWay].reduce((sum, { length }) => sum + length, waiting.length);
      },
      get recorded() {
        return counts.recorded;
      },
      get quarantined() {
        return counts.quarantined;
      },
      get writes() {
        return counts.writes;
      },
    },
    health() {
      if (state !== 'running') return { ok: false, reason: 'the recorder is not running' };
      return outage === undefined
        ? { ok: true }
        : { ok: false, reason: `events wait in the broker: ${outage.reason}` };
    },
    start() {
      started ??= stopped === undefined ? open() : Promise.resolve();
      return started;
    },
    stop() {
      stopped ??= close();
      return stopped;
    },
  };
}
