/** Picks the engine and the store, and what they stand on. */
import { resolve } from 'node:path';
import type { Broker } from '../broker/broker.js';
import { createEmbeddedBroker } from '../broker/embedded/broker.js';
import { jobsLeftIn } from '../broker/embedded/left.js';
import { schema } from '../broker/embedded/schema.js';
import { operationsUrl } from '../broker/embedded/storage.js';
import { createRabbitBroker } from '../broker/rabbitmq/broker.js';
import type { Config } from '../config.js';
import type { Registry } from '../handler/registry.js';
import { systemClock as clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Service } from '../runtime/service.js';
import { createSqliteThread, type SqliteThread } from '../runtime/sqlite-thread.js';
import { createPostgresStore } from '../store/postgres.js';
import type { SqlStore } from '../store/sql-store.js';
import { createSqliteStore, storeModules, storeSchema } from '../store/sqlite.js';

export interface Engine {
  readonly broker: Broker;
  readonly store: SqlStore;
  /** Absolute. */
  readonly dataDir: string;
  /** The engine is our own: there at once, or not at all. */
  readonly isEmbedded: boolean;
  /** In the order in which they start; the broker and the store are among them. */
  readonly services: readonly Service[];
  /** Where the jobs lie, for a person. */
  readonly place: string;
  /** How long it lets a delivery go unsettled, in ms; undefined: as long as RabbitMQ usually does. */
  readonly consumerTimeoutMs: number | undefined;
}

const PUBLISH_TIMEOUT_MS = 10_000;

/** Nothing can go on without it, and nothing is lost by an end: the process ends and is started again. */
function failed(error: Error): never {
  throw error;
}

/** @param confirmed  told the seconds from write to confirm of each publish */
export function createEngine(
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
      schemas: { engine: schema, store: storeSchema },
      modules: [operationsUrl, ...storeModules],
      clock,
      log,
      failed,
    });
    const broker = createEmbeddedBroker({ ...common, thread, dataDir });
    const store = storeOf(config, dataDir, log, thread);
    return {
      broker,
      store,
      dataDir,
      isEmbedded: true,
      services: [thread, store, broker],
      place: `${thread.file} (the built-in engine; set AMQP_URL to use RabbitMQ)`,
      consumerTimeoutMs: Number.POSITIVE_INFINITY,
    };
  }
  warnOfJobsLeft(dataDir, log);
  const urls = config.amqpUrls.map((url) => url.reveal());
  const broker = createRabbitBroker({ ...common, urls, prefix: config.amqpPrefix, random: Math.random });
  const store = storeOf(config, dataDir, log);
  const hosts = urls.map((url) => new URL(url).host).join(', ');
  return {
    broker,
    store,
    dataDir,
    isEmbedded: false,
    services: [store, broker],
    place: `RabbitMQ at ${hosts}, in queues that begin with ${config.amqpPrefix}., their history in ${store.place}`,
    consumerTimeoutMs: undefined,
  };
}

function storeOf(config: Config, folder: string, log: Log, thread?: SqliteThread): SqlStore {
  if (config.databaseUrl !== undefined)
    return createPostgresStore({ url: config.databaseUrl.reveal(), clock, log });
  return createSqliteStore({ folder, ...(thread === undefined ? {} : { thread }), clock, log, failed });
}

function warnOfJobsLeft(dataDir: string, log: Log): void {
  void jobsLeftIn(dataDir).then((left) => {
    if (left > 0)
      log.warn(
        { dataDir, jobs: left },
        'jobs of the built-in engine still wait in DATA_DIR, and nobody works on them with AMQP_URL set; `sluice move` brings them over',
      );
  });
}
