/** The composition root: settings in, a service out. The only place that knows which parts there are and which engine serves them. */
import { handlers as shippedHandlers } from '../workers/index.js';
import type { Broker } from './broker/broker.js';
import { createRabbitBroker } from './broker/rabbitmq/broker.js';
import type { Config, Role } from './config.js';
import { loadHandlers } from './handler/load.js';
import { createRegistry, type Registry } from './handler/registry.js';
import { createHttp } from './http/app.js';
import { Invalid } from './job/errors.js';
import { createMetrics, type Metrics } from './observe/metrics.js';
import { systemClock as clock } from './runtime/clock.js';
import type { Log } from './runtime/log.js';
import type { Service } from './runtime/service.js';
import { createWatchdog, type Watchdog } from './runtime/watchdog.js';
import type { JobObserver } from './worker/observer.js';
import { createPool, type Pool } from './worker/pool.js';

export interface Running extends Service {
  /** Lines for a person, valid after `start`: addresses, a first command to try. */
  describe(): readonly string[];
}

const PUBLISH_TIMEOUT_MS = 10_000;
/** Requests end by themselves well before; jobs get the rest of SHUTDOWN_GRACE_MS. */
const LONGEST_REQUEST_GRACE_MS = 10_000;
/** Shorter limits would take a garbage collection for a blocked loop. */
const SHORTEST_WATCHDOG_MS = 1_000;

/** @throws Invalid  when the handlers and the settings do not fit together */
export async function assemble(config: Config, role: Role, log: Log): Promise<Running> {
  const registry = await registryOf(config);
  const broker = brokerOf(config, registry, (seconds) => metrics.confirmed(seconds), log);
  const metrics = createMetrics({
    types: registry.types,
    queues: registry.queues,
    log,
    brokerStats: broker.stats,
    ...(role === 'work' ? {} : { inspect: () => broker.inspect() }),
  });
  const watchdog = createWatchdog({ limitMs: Math.max(config.jobTimeoutMs, SHORTEST_WATCHDOG_MS), log });
  const pool = role === 'serve' ? undefined : poolOf(config, registry, broker, metrics, watchdog, log);
  if (pool !== undefined) metrics.watchPool(() => pool.stats.queues);

  const http = createHttp({
    host: config.host,
    port: role === 'work' ? config.workerPort : config.port,
    keys: config.apiKeys,
    health: {
      broker: () => broker.health(),
      ...(pool === undefined ? {} : { workers: () => pool.health() }),
    },
    metrics,
    log,
    observer: metrics.http,
    timeouts: { graceMs: Math.min(config.shutdownGraceMs, LONGEST_REQUEST_GRACE_MS) },
    ...(role === 'work' ? {} : { ingestion: ingestionOf(config, registry, broker) }),
  });

  const workers: Service[] = pool === undefined ? [] : [watchdog, pool];
  // HTTP first: while the broker is still away, it says so. A worker keeps answering while it drains.
  const startOrder: Service[] = [http, broker, ...workers];
  const stopOrder: Service[] =
    role === 'work' ? [...workers.toReversed(), broker, http] : [http, ...workers.toReversed(), broker];
  return {
    async start() {
      for (const service of startOrder) await service.start();
    },
    async stop() {
      for (const service of stopOrder) await service.stop();
    },
    describe() {
      const { url } = http.address;
      const keyed = config.apiKeys.length > 0 ? " -H 'authorization: Bearer YOUR_KEY'" : '';
      if (role === 'work') return [`Working on ${namesOf(config, registry)}; health and metrics at ${url}`];
      return [
        `Listening on ${url}`,
        `Try: curl -i ${url}/v1/jobs${keyed} -H 'content-type: application/json' -d '{"type":"echo","payload":{"hello":"world"}}'`,
      ];
    },
  };
}

async function registryOf(config: Config): Promise<Registry> {
  const own = config.handlersModule === undefined ? [] : await loadHandlers(config.handlersModule);
  const shipped = shippedHandlers({
    httpPushAllowPrivate: config.httpPushAllowPrivate,
    retryMaxMs: config.retryMaxMs,
    ...(config.smtpUrl === undefined ? {} : { smtpUrl: config.smtpUrl.reveal() }),
    ...(config.smtpFrom === undefined ? {} : { smtpFrom: config.smtpFrom }),
    ...(config.httpPushSecret === undefined ? {} : { httpPushSecret: config.httpPushSecret.reveal() }),
  });
  return createRegistry({ handlers: [...shipped, ...own], extraQueues: config.queues });
}

function brokerOf(
  config: Config,
  registry: Registry,
  confirmed: (seconds: number) => void,
  log: Log,
): Broker {
  return createRabbitBroker({
    urls: (config.amqpUrls ?? []).map((url) => url.reveal()),
    prefix: config.amqpPrefix,
    queues: registry.queues,
    window: config.publishWindow,
    publishTimeoutMs: PUBLISH_TIMEOUT_MS,
    clock,
    random: Math.random,
    log,
    confirmed,
  });
}

function poolOf(
  config: Config,
  registry: Registry,
  broker: Broker,
  metrics: Metrics,
  watchdog: Watchdog,
  log: Log,
): Pool {
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
    ...metrics.jobs,
    started(job, waitMs) {
      watchdog.started(job);
      metrics.jobs.started(job, waitMs);
    },
  };
  return createPool({
    broker,
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
  });
}

function ingestionOf(config: Config, registry: Registry, broker: Broker) {
  const { maxBodyBytes, maxBatchBytes, maxBatchJobs, publishWindow } = config;
  return { broker, jobTypes: registry, maxBodyBytes, maxBatchBytes, maxBatchJobs, publishWindow };
}

function namesOf(config: Config, registry: Registry): string {
  return (config.workerQueues?.map(({ queue }) => queue) ?? registry.queues).join(', ');
}
