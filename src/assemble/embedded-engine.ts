/** The built-in engine, whose thread and file the store shares unless it lies in PostgreSQL. */
import { resolve } from 'node:path';
import { createEmbeddedBroker } from '../broker/embedded/broker.js';
import { schema } from '../broker/embedded/schema.js';
import { operationsUrl } from '../broker/embedded/storage.js';
import { systemClock as clock } from '../runtime/clock.js';
import { createSqliteThread } from '../runtime/sqlite-thread.js';
import { storeModules, storeSchema } from '../store/sqlite.js';
import { type Engine, type EngineParts, failed, PUBLISH_TIMEOUT_MS } from './engine.js';
import { createStore } from './store.js';

export async function createEmbeddedEngine({
  config,
  registry,
  confirmed,
  log,
}: EngineParts): Promise<Engine> {
  const dataDir = resolve(config.dataDir);
  const thread = createSqliteThread({
    folder: dataDir,
    schemas: { engine: schema, store: storeSchema },
    modules: [operationsUrl, ...storeModules],
    clock,
    log,
    failed,
  });
  const broker = createEmbeddedBroker({
    thread,
    dataDir,
    queues: registry.queues,
    window: config.publishWindow,
    publishTimeoutMs: PUBLISH_TIMEOUT_MS,
    clock,
    log,
    confirmed,
  });
  const store = await createStore(config, dataDir, log, thread);
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
