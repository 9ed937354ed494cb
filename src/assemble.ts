/** The composition root: settings in, a service out. The only place that knows which parts there are and which engine serves them. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { handlers as shippedHandlers } from '../workers/index.js';
import { createDesks } from './assemble/desks.js';
import { MOST_DIRECT_EVENTS, recordDirectly } from './assemble/direct-events.js';
import type { Engine } from './assemble/engine.js';
import { createEngine } from './assemble/pick-engine.js';
import { createRecording } from './assemble/recording.js';
import { createWorkers } from './assemble/workers.js';
import { secretValuesOf } from './config/secret-values.js';
import type { Config, Role } from './config.js';
import { createEventSender, type EventSender } from './events/sender.js';
import { createSpool } from './events/spool.js';
import { loadHandlers } from './handler/load.js';
import { createRegistry, type RegisteredHandler, type Registry } from './handler/registry.js';
import { createAcceptedEvents } from './http/accepted.js';
import { createHttp } from './http/app.js';
import { createDocs } from './http/docs.js';
import { createPage } from './http/page.js';
import { createJobLog, type JobLog } from './observe/job-log.js';
import { embeddedMessaging, rabbitmqMessaging } from './observe/messaging.js';
import { createMetrics, type Handled } from './observe/metrics.js';
import { createTracing } from './observe/tracing.js';
import { systemClock as clock } from './runtime/clock.js';
import type { Log } from './runtime/log.js';
import { createMask } from './runtime/mask.js';
import type { Health, Service } from './runtime/service.js';
import { createWatchdog } from './runtime/watchdog.js';
import type { Pool } from './worker/pool.js';

export interface Running extends Service {
  /** Lines for a person, valid after `start`: addresses, a first command to try. */
  describe(): readonly string[];
}

/** Requests end by themselves well before; jobs get the rest of SHUTDOWN_GRACE_MS. */
const LONGEST_REQUEST_GRACE_MS = 10_000;
/** Shorter limits would take a garbage collection for a blocked loop. */
const SHORTEST_WATCHDOG_MS = 1_000;

/**
 * @param replaced  parts that a bench has brought along
 * @throws Invalid  when the handlers and the settings do not fit together
 */
export async function assemble(
  config: Config,
  role: Role,
  log: Log,
  replaced: { readonly sender?: EventSender } = {},
): Promise<Running> {
  const registry = await registryOf(config);
  const takesJobs = role === 'serve' || role === 'start';
  const works = role === 'work' || role === 'start';
  const records = role === 'record' || role === 'start';

  const jobLog = config.logLevel === 'debug' || config.logLevel === 'trace' ? createJobLog(log) : undefined;
  const engine = told(
    await createEngine({ config, registry, confirmed: (seconds) => metrics.confirmed(seconds), log }),
    jobLog,
  );
  const { broker, store } = engine;
  const sender: EventSender = replaced.sender ?? senderOf(engine, role, () => pool?.stats, log);
  const desks = takesJobs ? createDesks(config, { registry, engine, sender, log }) : undefined;
  const metrics = createMetrics({
    types: registry.types,
    queues: registry.queues,
    handled: works ? handledBy(config, registry) : [],
    log,
    brokerStats: broker.stats,
    spooled: () => sender.stats.spooled,
    ...desks?.measured,
  });
  const tracing = createTracing(engine.isEmbedded ? embeddedMessaging : rabbitmqMessaging(config.amqpPrefix));
  const watchdog = createWatchdog({ limitMs: Math.max(config.jobTimeoutMs, SHORTEST_WATCHDOG_MS), log });
  const pool = works
    ? createWorkers(config, {
        registry,
        engine,
        sender,
        metrics: metrics.jobs,
        spans: tracing?.attempts,
        jobLog,
        watchdog,
        mask: createMask(secretValuesOf(config)),
        log,
      })
    : undefined;
  if (pool !== undefined) metrics.watchPool(() => pool.stats.queues);
  const recording = records
    ? createRecording(config, { registry, engine, sender, spans: tracing?.replays, log })
    : undefined;

  const health: Record<string, () => Health> = { broker: () => broker.health() };
  if (pool !== undefined) health['workers'] = () => pool.health();
  // A store that is away keeps no request and no job waiting, only what is told of them: no reason to take this process out.
  if (role === 'record' && recording !== undefined) health['recorder'] = () => recording.health();
  const tellAccepted = createAcceptedEvents({
    tell: (event) => sender.tell(event),
    recordPayload: config.recordPayload,
  });
  const http = createHttp({
    host: config.host,
    port: takesJobs ? config.port : config.workerPort,
    keys: config.apiKeys,
    health,
    metrics,
    log,
    observer: {
      ...metrics.http,
      accepted(job, isAgain) {
        metrics.http.accepted(job);
        jobLog?.accepted(job, isAgain);
        tellAccepted(job, isAgain);
      },
    },
    spans: tracing?.http,
    timeouts: { graceMs: Math.min(config.shutdownGraceMs, LONGEST_REQUEST_GRACE_MS) },
    ...(takesJobs
      ? {
          ingestion: {
            broker,
            jobTypes: registry,
            maxBodyBytes: config.maxBodyBytes,
            maxBatchBytes: config.maxBatchBytes,
            maxBatchJobs: config.maxBatchJobs,
            publishWindow: config.publishWindow,
            idempotency: { keys: store.idempotency, ttlMs: config.idempotencyTtlMs },
          },
          statics: [createPage(), createDocs(documentedTypes(registry), config.apiKeys.length > 0)],
        }
      : {}),
    ...desks?.routes,
  });

  const workers: readonly Service[] = pool === undefined ? [] : [watchdog, pool];
  const inner = [...engine.services, sender, ...(recording === undefined ? [] : [recording])];
  // HTTP before a broker that may be away: it says so. After an engine of our own, which is there at once or not at all.
  const startOrder = engine.isEmbedded ? [...inner, http, ...workers] : [http, ...inner, ...workers];
  // A process without ingestion keeps answering while it drains.
  const stopOrder = takesJobs
    ? [http, ...workers.toReversed(), ...inner.toReversed()]
    : [...workers.toReversed(), ...inner.toReversed(), http];
  return {
    async start() {
      for (const service of startOrder) await service.start();
    },
    async stop() {
      for (const service of stopOrder) await service.stop();
      await tracing?.flush();
    },
    describe() {
      const { url } = http.address;
      if (role === 'work') return [`Working on ${namesOf(config, registry)}; health and metrics at ${url}`];
      if (role === 'record') return [`Recording into ${store.place}; health and metrics at ${url}`];
      const keyed = config.apiKeys.length > 0 ? " -H 'authorization: Bearer YOUR_KEY'" : '';
      return [
        `Listening on ${url}`,
        `Try: curl -i ${url}/v1/jobs${keyed} -H 'content-type: application/json' -d '{"type":"echo","payload":{"hello":"world"}}'`,
        `The jobs lie in ${engine.place}`,
      ];
    },
  };
}

function told(engine: Engine, jobLog: JobLog | undefined): Engine {
  if (jobLog === undefined) return engine;
  return { ...engine, store: { ...engine.store, records: jobLog.records(engine.store.records) } };
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

function senderOf(engine: Engine, role: Role, pool: () => Pool['stats'] | undefined, log: Log): EventSender {
  const { broker, store, dataDir, isEmbedded } = engine;
  const source = randomUUID();
  const { recordBatches } = store.records;
  const direct =
    isEmbedded && recordBatches !== undefined
      ? { channel: recordDirectly(broker.events, recordBatches), mostEvents: MOST_DIRECT_EVENTS }
      : { channel: broker.events };
  return createEventSender({
    source,
    role,
    host: `${hostname()}:${process.pid}`,
    ...direct,
    isBlocked: () => broker.stats.isBlocked,
    held: () => pool()?.held ?? 0,
    hasWaiting: () => pool()?.hasWaiting ?? false,
    spool: createSpool({ folder: join(dataDir, 'spool'), source, clock, log }),
    clock,
    log,
  });
}

function documentedTypes(registry: Registry): readonly RegisteredHandler[] {
  return registry.types.flatMap((type) => registry.get(type) ?? []);
}

/** The types whose jobs come to this process, unless they are sent to another queue. */
function handledBy({ workerQueues }: Config, registry: Registry): readonly Handled[] {
  return registry.types
    .map((type) => ({ type, queue: registry.get(type)?.queue ?? '' }))
    .filter(({ queue }) => workerQueues?.some((one) => one.queue === queue) ?? true);
}

function namesOf(config: Config, registry: Registry): string {
  return (config.workerQueues?.map(({ queue }) => queue) ?? registry.queues).join(', ');
}
