/** Puts the worker pool together. */
import type { Config } from '../config.js';
import type { EventSender } from '../events/sender.js';
import type { Registry } from '../handler/registry.js';
import { Invalid } from '../job/errors.js';
import type { JobLog } from '../observe/job-log.js';
import type { JobMetrics } from '../observe/metrics.js';
import { systemClock as clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Watchdog } from '../runtime/watchdog.js';
import type { JobObserver } from '../worker/observer.js';
import { createPool, type Pool } from '../worker/pool.js';
import type { AttemptSpans } from '../worker/spans.js';
import type { Engine } from './engine.js';

export interface WorkersParts {
  readonly registry: Registry;
  readonly engine: Engine;
  readonly sender: EventSender;
  readonly metrics: JobMetrics;
  readonly spans: AttemptSpans | undefined;
  /** Where the level of the log shows each job. */
  readonly jobLog: JobLog | undefined;
  readonly watchdog: Watchdog;
  readonly mask: (text: string) => string;
  readonly log: Log;
}

/** @throws Invalid  when the settings name a queue that there is not */
export function createWorkers(config: Config, parts: WorkersParts): Pool {
  const { registry, engine, sender, metrics, spans, jobLog, watchdog, mask, log } = parts;
  const { broker, store, consumerTimeoutMs } = engine;
  const queues =
    config.workerQueues ?? registry.queues.map((queue) => ({ queue, concurrency: config.workerConcurrency }));
  const unknown = queues.filter(({ queue }) => !registry.hasQueue(queue)).map(({ queue }) => queue);
  if (unknown.length > 0) {
    throw new Invalid(
      'bad_settings',
      `WORKER_QUEUES names ${unknown.join(', ')}, but the queues are ${registry.queues.join(', ')}: mend the name, or add the queue to QUEUES`,
    );
  }
  const observer: JobObserver = {
    ...metrics,
    started(job, waitMs) {
      watchdog.started(job);
      metrics.started(job, waitMs);
      jobLog?.jobs.started(job, waitMs);
    },
    settled(job, outcome, durationMs) {
      metrics.settled(job, outcome, durationMs);
      jobLog?.jobs.settled(job, outcome, durationMs);
    },
  };
  return createPool({
    broker: jobLog?.deliveries(broker) ?? broker,
    ...(consumerTimeoutMs === undefined ? {} : { consumerTimeoutMs }),
    registry,
    queues: queues.map(({ queue, concurrency }) => ({ name: queue, concurrency })),
    prefetch: config.workerPrefetch,
    defaults: {
      maxAttempts: config.jobMaxAttempts,
      timeoutMs: config.jobTimeoutMs,
      backoff: { baseMs: config.retryBaseMs, maxMs: config.retryMaxMs },
    },
    graceMs: config.shutdownGraceMs,
    log,
    clock,
    random: Math.random,
    observer,
    spans,
    mask,
    events: sender,
    resultMaxBytes: config.resultMaxBytes,
    readOrders: () => store.registers.orders(),
    onAnnouncement: (listener) => broker.events.onAnnouncement(listener),
  });
}
