/** RabbitMQ, and beside it a store that several processes share. */
import { resolve } from 'node:path';
import { jobsLeftIn } from '../broker/embedded/left.js';
import { createRabbitBroker } from '../broker/rabbitmq/broker.js';
import type { Secret } from '../config/secret.js';
import { systemClock as clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import { type Engine, type EngineParts, PUBLISH_TIMEOUT_MS } from './engine.js';
import { createStore } from './store.js';

export async function createRabbitmqEngine(
  secretUrls: readonly Secret[],
  { config, registry, confirmed, log }: EngineParts,
): Promise<Engine> {
  const dataDir = resolve(config.dataDir);
  warnOfJobsLeft(dataDir, log);
  const urls = secretUrls.map((url) => url.reveal());
  const broker = createRabbitBroker({
    urls,
    prefix: config.amqpPrefix,
    queues: registry.queues,
    window: config.publishWindow,
    publishTimeoutMs: PUBLISH_TIMEOUT_MS,
    clock,
    random: Math.random,
    log,
    confirmed,
  });
  const store = await createStore(config, dataDir, log);
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

function warnOfJobsLeft(dataDir: string, log: Log): void {
  void jobsLeftIn(dataDir).then((left) => {
    if (left > 0)
      log.warn(
        { dataDir, jobs: left },
        'jobs of the built-in engine still wait in DATA_DIR, and nobody works on them with AMQP_URL set; `sluice move` brings them over',
      );
  });
}
