/** The stock of RabbitMQ under a prefix of its own. */
import { createRabbitSource } from '../../../src/broker/rabbitmq/stock-source.js';
import { createRabbitTarget } from '../../../src/broker/rabbitmq/stock-target.js';
import { systemClock as clock } from '../../../src/runtime/clock.js';
import { createLog } from '../../../src/runtime/log.js';
import { sharedNode } from '../../support/rabbitmq.js';
import type { StockBench } from '../stock.js';
import { createRabbitBench } from './bench.js';

const queues = ['default', 'other'];

export async function openRabbitStock(
  url?: string,
): Promise<StockBench & { readonly url: string; readonly prefix: string }> {
  const address = url ?? (await sharedNode()).url;
  const bench = createRabbitBench(address, queues);
  const { prefix } = bench;
  const options = { urls: [address], prefix, queues, clock, random: Math.random, log: createLog('silent') };
  return {
    url: address,
    prefix,
    open: () => bench.open(),
    stop: (broker) => broker.stop(),
    source: () => createRabbitSource(options),
    target: () => createRabbitTarget({ ...options, newQueueMs: 0 }),
    close: () => bench.close(),
  };
}
