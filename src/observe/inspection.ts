/** What the broker itself counts: asked at scrape with a time limit, and left out, not stale and not zero, when it does not answer. */
import { Gauge, type Registry } from 'prom-client';
import type { Inspection } from '../broker/broker.js';
import type { Log } from '../runtime/log.js';
import { within } from './within.js';

/** Of dead letters those of the store count as well: undefined while it cannot tell them. */
export type Counts = Pick<Inspection, 'lanes' | 'events'> & { readonly deadLetters: number | undefined };

export interface InspectionOptions {
  readonly registry: Registry;
  readonly inspect: () => Promise<Counts>;
  readonly timeoutMs: number;
  readonly log: Log;
}

export interface InspectionMetrics {
  /** Asks the broker once, for all scrapes that wait at the same time. Never rejects. */
  refresh(): Promise<void>;
}

export function createInspectionMetrics(options: InspectionOptions): InspectionMetrics {
  const { inspect, timeoutMs, log } = options;
  const registers = [options.registry];
  const depth = new Gauge({
    name: 'sluice_queue_depth',
    help: 'Jobs that wait in a lane.',
    labelNames: ['queue', 'lane'],
    registers,
  });
  const consumers = new Gauge({
    name: 'sluice_queue_consumers',
    help: 'Consumers of a queue, over its lanes.',
    labelNames: ['queue'],
    registers,
  });
  const deadLetters = new Gauge({
    name: 'sluice_dead_letters',
    help: 'Jobs among the dead letters.',
    registers,
  });
  const lag = new Gauge({
    name: 'sluice_recorder_lag',
    help: 'Batches of events that wait for a recorder.',
    registers,
  });
  forget();

  function forget(): void {
    lag.remove();
    depth.reset();
    consumers.reset();
    // A gauge without labels falls back to 0 by reset; removed, it has no value at all.
    deadLetters.remove();
  }

  function show(inspection: Counts): void {
    forget();
    for (const { queue, lane, ready, consumers: count } of inspection.lanes) {
      depth.set({ queue, lane }, ready);
      consumers.inc({ queue }, count);
    }
    lag.set(inspection.events);
    if (inspection.deadLetters !== undefined) deadLetters.set(inspection.deadLetters);
  }

  let refreshing: Promise<void> | undefined;
  return {
    refresh() {
      refreshing ??= within(inspect, timeoutMs)
        .then(show, (error: unknown) => {
          forget();
          log.debug({ err: error }, 'the broker was not inspected, its counts are left out of the metrics');
        })
        .finally(() => {
          refreshing = undefined;
        });
      return refreshing;
    },
  };
}
