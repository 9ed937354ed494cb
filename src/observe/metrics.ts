/** The metrics of one process (design.md 10): a registry of its own, the observers that feed it, and what is pulled at scrape. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { type ErrorCode, errorStatus } from '../api/contract.js';
import type { BrokerStats } from '../broker/broker.js';
import type { Job } from '../job/job.js';
import type { Log } from '../runtime/log.js';
import { createCounted } from './counted.js';
import { type Counts, createInspectionMetrics } from './inspection.js';
import { createObserved } from './observed.js';
import { createReadSideMetrics, type ReadSide } from './read-side.js';

/** What the HTTP side tells. */
export interface HttpMetrics {
  accepted(job: Job): void;
  refused(code: ErrorCode): void;
  requested(method: string, route: string, status: number, seconds: number): void;
}

const outcomes = ['succeeded', 'retried', 'dead', 'cancelled'] as const;
type Outcome = (typeof outcomes)[number];

/** What the worker pool tells. */
export interface JobMetrics {
  /** `waitMs`: from the moment the job was due. */
  started(job: Job, waitMs: number): void;
  settled(job: Job, outcome: Outcome, durationMs: number): void;
  redelivered(job: Job): void;
}

export interface PoolStats {
  readonly queue: string;
  readonly active: number;
  readonly concurrency: number;
  readonly prefetch: number;
}

/** A type, and the queue where its jobs go unless they say otherwise. */
export interface Handled {
  readonly queue: string;
  readonly type: string;
}

export interface MetricsOptions {
  /** The job types of the registry; others are labelled `unknown`, so that no stranger can make series without bound. */
  readonly types: readonly string[];
  /** The queues of the registry; others are labelled `unknown` as well. */
  readonly queues: readonly string[];
  /** What this process works on: its outcomes are counted from 0 on. */
  readonly handled?: readonly Handled[];
  readonly log: Log;
  /** Read at scrape. */
  readonly brokerStats?: Readonly<BrokerStats>;
  /** Asked at scrape, on `serve` and `start`; a failure leaves its series out. */
  readonly inspect?: () => Promise<Counts>;
  /** Asked at scrape as well. */
  readonly readSide?: ReadSide;
  /** Read at scrape: events that lie in the spool of this process. */
  readonly spooled?: () => number;
  /** How long a scrape waits for these, in ms. */
  readonly inspectTimeoutMs?: number;
}

export interface Metrics {
  readonly http: HttpMetrics;
  readonly jobs: JobMetrics;
  /** The broker has confirmed a publish, so many seconds after it was written. */
  confirmed(seconds: number): void;
  /** The pool's numbers, read at scrape from here on; the pool is made after the metrics it reports to. */
  watchPool(read: () => readonly PoolStats[]): void;
  readonly contentType: string;
  /** The text of a scrape. Answers within `inspectTimeoutMs` whatever the broker does. */
  render(): Promise<string>;
}

const INSPECT_TIMEOUT_MS = 2_000;

const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** From a no-op to the hour that a handler or a backlog may take. */
const jobBuckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600];

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const types = new Set(options.types);
  const queues = new Set(options.queues);
  const typeOf = (job: Job): string => (types.has(job.type) ? job.type : 'unknown');
  const queueOf = (job: Job): string => (queues.has(job.queue) ? job.queue : 'unknown');

  const observeConfirm = createObserved({
    registry,
    name: 'sluice_publish_confirm_seconds',
    help: "From writing a job to the broker's confirm.",
    labelNames: [],
    buckets: requestBuckets,
  });
  const inspection = options.inspect
    ? createInspectionMetrics({
        registry,
        inspect: options.inspect,
        timeoutMs: options.inspectTimeoutMs ?? INSPECT_TIMEOUT_MS,
        log: options.log,
      })
    : undefined;
  const timeoutMs = options.inspectTimeoutMs ?? INSPECT_TIMEOUT_MS;
  const readSide = options.readSide
    ? createReadSideMetrics({ registry, ...options.readSide, timeoutMs, log: options.log })
    : undefined;
  if (options.spooled) {
    addPulled(
      registry,
      'sluice_events_spooled',
      'Events that wait on the disk of this process.',
      options.spooled,
    );
  }
  if (options.brokerStats) addBrokerMetrics(registry, options.brokerStats);

  return {
    http: createHttpMetrics(registry, typeOf, queueOf, options.inspect !== undefined),
    jobs: createJobMetrics(registry, typeOf, queueOf, options.handled ?? []),
    confirmed: (seconds) => observeConfirm(seconds),
    watchPool: (read) => addPoolMetrics(registry, read),
    contentType: registry.contentType,
    async render() {
      await Promise.all([inspection?.refresh(), readSide?.refresh()]);
      return registry.metrics();
    },
  };
}

type Label = (job: Job) => string;

function createHttpMetrics(
  registry: Registry,
  typeOf: Label,
  queueOf: Label,
  takesJobs: boolean,
): HttpMetrics {
  const registers = [registry];
  const countRequest = createCounted({
    registry,
    name: 'sluice_http_requests_total',
    help: 'Requests answered; status 499: the client left before its answer.',
    labelNames: ['method', 'route', 'status'],
  });
  const observeDuration = createObserved({
    registry,
    name: 'sluice_http_request_duration_seconds',
    help: 'From the headers of a request to its answer.',
    labelNames: [],
    buckets: requestBuckets,
  });
  const countAccepted = createCounted({
    registry,
    name: 'sluice_jobs_accepted_total',
    help: 'Jobs that the broker has confirmed.',
    labelNames: ['queue', 'lane', 'type'],
  });
  const refused = new Counter({
    name: 'sluice_jobs_refused_total',
    help: 'Jobs, or whole requests to submit some, that were refused, by error code.',
    labelNames: ['code'],
    registers,
  });
  // A series that appears with its first refusal hides that refusal from rate(). Elsewhere there is none: it tells who takes jobs.
  for (const code of takesJobs ? Object.keys(errorStatus) : []) refused.inc({ code }, 0);
  return {
    accepted: (job) => countAccepted(queueOf(job), job.lane, typeOf(job)),
    refused: (code) => refused.inc({ code }),
    requested(method, route, status, seconds) {
      countRequest(methods.has(method) ? method : 'other', route, status);
      observeDuration(seconds);
    },
  };
}

function createJobMetrics(
  registry: Registry,
  typeOf: Label,
  queueOf: Label,
  handled: readonly Handled[],
): JobMetrics {
  const registers = [registry];
  const countCompleted = createCounted({
    registry,
    name: 'sluice_jobs_completed_total',
    help: 'Attempts that were settled, by outcome.',
    labelNames: ['queue', 'type', 'outcome'],
  });
  const observeDuration = createObserved({
    registry,
    name: 'sluice_job_duration_seconds',
    help: 'How long handlers ran.',
    labelNames: ['queue', 'type'],
    buckets: jobBuckets,
  });
  const observeWait = createObserved({
    registry,
    name: 'sluice_job_wait_seconds',
    help: 'From the moment a job was due to the start of its handler.',
    labelNames: ['queue'],
    buckets: jobBuckets,
  });
  const redelivered = new Counter({
    name: 'sluice_jobs_redelivered_total',
    help: 'Deliveries that had been handed out before without being settled.',
    labelNames: ['queue'],
    registers,
  });
  // As with refusals: the first dead letter must be a rise, not a beginning.
  for (const { queue, type } of handled) {
    for (const outcome of outcomes) countCompleted(queue, type, outcome, 0);
    redelivered.inc({ queue }, 0);
  }
  return {
    started: (job, waitMs) => observeWait(Math.max(0, waitMs) / 1000, queueOf(job)),
    settled(job, outcome, durationMs) {
      const [queue, type] = [queueOf(job), typeOf(job)];
      countCompleted(queue, type, outcome);
      observeDuration(durationMs / 1000, queue, type);
    },
    redelivered: (job) => redelivered.inc({ queue: queueOf(job) }),
  };
}

function addBrokerMetrics(registry: Registry, stats: Readonly<BrokerStats>): void {
  const pulled = (name: string, help: string, read: () => number): void =>
    addPulled(registry, name, help, read);
  pulled('sluice_publish_unconfirmed', 'Publishes that wait for their confirm.', () => stats.unconfirmed);
  pulled('sluice_broker_up', '1 while connected to the broker.', () => Number(stats.isUp));
  pulled('sluice_broker_blocked', '1 while the broker holds back publishes.', () => Number(stats.isBlocked));
  new Counter({
    name: 'sluice_broker_reconnects_total',
    help: 'Connections to the broker made again.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(stats.reconnects);
    },
  });
}

function addPulled(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

function addPoolMetrics(registry: Registry, read: () => readonly PoolStats[]): void {
  const pulled = (name: string, help: string, pick: (stats: PoolStats) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ['queue'],
      registers: [registry],
      collect() {
        for (const stats of read()) this.set({ queue: stats.queue }, pick(stats));
      },
    });
  };
  pulled('sluice_jobs_active', 'Handlers that run.', (stats) => stats.active);
  pulled('sluice_worker_concurrency', 'Handlers that may run at a time.', (stats) => stats.concurrency);
  pulled('sluice_worker_prefetch', 'Deliveries that may be unsettled at a time.', (stats) => stats.prefetch);
}
