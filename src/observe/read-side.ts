/** What the store counts, asked at scrape with a time limit, and left out, not stale and not zero, when it does not answer. */
import { Gauge, type Registry } from 'prom-client';
import type { QueueView } from '../api/queues.js';
import type { Log } from '../runtime/log.js';
import { within } from './within.js';

export interface ReadSide {
  /** Counts of at most a few seconds ago. */
  queues(): Promise<readonly QueueView[]>;
  /** Rows of jobs in the store. */
  rows(): Promise<number>;
  /** Jobs of which nobody knows where they are, proven. */
  unaccounted(): Promise<number>;
}

export interface ReadSideMetricsOptions extends ReadSide {
  readonly registry: Registry;
  readonly timeoutMs: number;
  readonly log: Log;
}

export interface ReadSideMetrics {
  /** Asks once, for all scrapes that wait at the same time. Never rejects. */
  refresh(): Promise<void>;
}

export function createReadSideMetrics(options: ReadSideMetricsOptions): ReadSideMetrics {
  const { timeoutMs, log } = options;
  const registers = [options.registry];
  const perQueue = (name: string, help: string): Gauge<'queue'> =>
    new Gauge({ name, help, labelNames: ['queue'], registers });
  const delayed = perQueue(
    'sluice_jobs_delayed',
    'Jobs that wait for their time, or for their next attempt.',
  );
  const oldest = perQueue(
    'sluice_queue_oldest_age_seconds',
    'How long the job that waits longest has been due.',
  );
  const drain = perQueue(
    'sluice_queue_drain_seconds',
    'Forecast: when the backlog is gone at the pace of the last minute; +Inf while it does not shrink.',
  );
  const rows = new Gauge({ name: 'sluice_store_rows', help: 'Jobs in the store.', registers });
  const unaccounted = new Gauge({
    name: 'sluice_jobs_unaccounted',
    help: 'Jobs that were accepted and are neither ended nor in the broker: 0 unless something was lost.',
    registers,
  });
  const single = [rows, unaccounted];
  forgetQueues();
  for (const gauge of single) gauge.remove();

  function forgetQueues(): void {
    for (const gauge of [delayed, oldest, drain]) gauge.reset();
  }

  function showQueues(views: readonly QueueView[]): void {
    forgetQueues();
    for (const { name: queue, scheduled, oldestAgeMs, forecast } of views) {
      delayed.set({ queue }, scheduled);
      oldest.set({ queue }, (oldestAgeMs ?? 0) / 1_000);
      drain.set({ queue }, (forecast.emptyInMs ?? Number.POSITIVE_INFINITY) / 1_000);
    }
  }

  /** What is left out, and why; said once, since scrapes come every few seconds. */
  const missing = new Map<string, string>();

  function told(what: string): void {
    if (missing.delete(what))
      log.info({ what }, 'the store answers again, its counts are back in the metrics');
  }

  function untold(what: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (missing.get(what) === reason) return;
    missing.set(what, reason);
    log.warn({ what, reason }, `the store did not answer (${what}), its counts are left out of the metrics`);
  }

  /** Each by itself: an audit that fails takes no count with it. */
  async function ask<Value>(
    what: string,
    source: () => Promise<Value>,
    show: (value: Value) => void,
    forget: () => void,
  ): Promise<void> {
    try {
      show(await within(source, timeoutMs));
      told(what);
    } catch (error) {
      forget();
      untold(what, error);
    }
  }

  let refreshing: Promise<unknown> | undefined;
  return {
    async refresh() {
      refreshing ??= Promise.all([
        ask('queues', () => options.queues(), showQueues, forgetQueues),
        ask(
          'rows',
          () => options.rows(),
          (count) => rows.set(count),
          () => rows.remove(),
        ),
        ask(
          'audit',
          () => options.unaccounted(),
          (count) => unaccounted.set(count),
          () => unaccounted.remove(),
        ),
      ]).finally(() => {
        refreshing = undefined;
      });
      await refreshing;
    },
  };
}
