/** Opens RabbitMQ brokers on a prefix of their own and cleans up behind them. */
import type { Broker } from '../../../src/broker/broker.js';
import { createRabbitBroker, type RabbitBrokerOptions } from '../../../src/broker/rabbitmq/broker.js';
import { systemClock } from '../../../src/runtime/clock.js';
import { createLog } from '../../../src/runtime/log.js';
import { cleanPrefix, randomPrefix } from '../../support/prefix.js';
import { type RabbitNode, startNode } from '../../support/rabbitmq.js';

export interface RabbitBench {
  readonly prefix: string;
  /** A broker, not started yet. */
  make(options?: Partial<RabbitBrokerOptions>): Broker;
  /** A started broker. */
  open(options?: Partial<RabbitBrokerOptions>): Promise<Broker>;
  close(): Promise<void>;
}

export function createRabbitBench(url: string, queues: readonly string[] = ['default']): RabbitBench {
  const prefix = randomPrefix();
  const made: Broker[] = [];
  const bench: RabbitBench = {
    prefix,
    make(options = {}) {
      const broker = createRabbitBroker({
        urls: [url],
        prefix,
        queues,
        window: 4096,
        publishTimeoutMs: 10_000,
        clock: systemClock,
        random: Math.random,
        log: createLog('silent'),
        confirmed() {},
        newQueueMs: 0,
        ...options,
      });
      made.push(broker);
      return broker;
    },
    async open(options) {
      const broker = bench.make(options);
      await broker.start();
      return broker;
    },
    async close() {
      await Promise.all(made.map((broker) => broker.stop()));
      await cleanPrefix(url, prefix, queues);
    },
  };
  return bench;
}

/** Call it in a `describe`: a node that its tests may harm, and a bench on it for each of them. */
export function useOwnNode(): { readonly node: RabbitNode; readonly bench: RabbitBench } {
  let node: RabbitNode;
  let bench: RabbitBench;
  before(async () => {
    node = await startNode();
  });
  after(() => node.remove());
  beforeEach(() => {
    bench = createRabbitBench(node.url);
  });
  afterEach(() => bench.close());
  return {
    get node() {
      return node;
    },
    get bench() {
      return bench;
    },
  };
}
