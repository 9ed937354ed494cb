/** The composition root: settings in, a service out. The only place that knows which parts there are and which engine serves them. */

import { resolve } from 'node:path';
import { handlers as shippedHandlers } from '../workers/index.js';
import type { Broker } from './broker/broker.js';
import { createEmbeddedBroker } from './broker/embedded/broker.js';
import { jobsLeftIn } from './broker/embedded/left.js';
import { schema } from './broker/embedded/schema.js';
import { operationsUrl } from './broker/embedded/storage.js';
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
import { createSqliteThread } from './runtime/sqlite-thread.js';
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
  const engine = engineOf(config, registry, (seconds) => metrics.confirmed(seconds), log);
  const { broker } = engine;
  const metrics = createMetrics({
    types: registry.types,
    queues: registry.queues,
    log,
    brokerStats: broker.stats,
    ...(role === 'work' ? {} : { inspect: () => broker.inspect() }),
  });
  const watchdog = createWatchdog({ limitMs: Math.max(config.jobTimeoutMs, SHORTEST_WATCHDOG_MS), log });
  const pool = role === 'serve' ? undefined : poolOf(config, registry, engine, metrics, watchdog, log);
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
  const engineServices = [...engine.below, broker];
  // HTTP before a broker that may be away: it says so. After an engine of our own, which is there at once or not at all.
  const startOrder: Service[] =
    engine.below.length > 0 ? [...engineServices, http, ...workers] : [http, broker, ...workers];
  // A worker keeps answering while it drains.
  const stopOrder: Service[] =
    role === 'work'
      ? [...workers.toReversed(), ...engineServices.toReversed(), http]
      : [http, ...workers.toReversed(), ...engineServices.toReversed()];
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
        `The jobs lie in ${engine.place}`,
      ];
    },
  };
}

/** The handlers and queues that the settings name. */
export async function registryOf(config: Config): Promise<Registry> {
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

interface Engine {
  readonly broker: Broker;
  /** What the broker stands on: started before it, stopped after it. */
  readonly below: readonly Service[];
  /** Where the jobs lie, for a person. */
  readonly place: string;
  /** How long it lets a delivery go unsettled, in ms; undefined: as long as RabbitMQ usually does. */
  readonly consumerTimeoutMs: number | undefined;
}

function engineOf(
  config: Config,
  registry: Registry,
  confirmed: (seconds: number) => void,
  log: Log,
): Engine {
  const common = {
    queues: registry.queues,
    window: config.publishWindow,
    publishTimeoutMs: PUBLISH_TIMEOUT_MS,
    clock,
    log,
    confirmed,
  };
  const dataDir = resolve(config.dataDir);
  if (config.amqpUrls === undefined) {
    const thread = createSqliteThread({
      folder: dataDir,
      schemas: { engine: schema },
      modules: [operationsUrl],
      clock,
      log,
      failed(error) {
        throw error; // Nothing can go on without it, and nothing is lost by an end: the process ends and is started again.
      },
    });
    return {
      broker: createEmbeddedBroker({ ...common, thread, dataDir }),
      below: [thread],
      place: `${thread.file} (the built-in engine; set AMQP_URL to use RabbitMQ)`,
      consumerTimeoutMs: Number.POSITIVE_INFINITY,
    };
  }
  void jobsLeftIn(dataDir).then((left) => {
    if (left > 0)
      log.warn(
        { dataDir, jobs: left },
        'jobs of the built-in engine still wait in DATA_DIR, and nobody works on them with AMQP_URL set; `sluice move` brings them over',
      );
  });
  const urls = config.amqpUrls.map((url) => url.reveal());
  return {
    broker: createRabbitBroker({ ...common, urls, prefix: config.amqpPrefix, random: Math.random }),
    below: [],
    place: `RabbitMQ at ${urls.map((url) => new URL(url).host).join(', ')}, in queues that begin with ${config.amqpPrefix}.`,
    consumerTimeoutMs: undefined,
  };
}

function poolOf(
  config: Config,
  registry: Registry,
  engine: Engine,
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
    broker: engine.broker,
    ...(engine.consumerTimeoutMs === undefined ? {} : { consumerTimeoutMs: engine.consumerTimeoutMs }),
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
