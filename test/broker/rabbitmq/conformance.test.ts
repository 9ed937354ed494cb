import amqp from 'amqplib';
import { startProxy } from '../../support/proxy.js';
import { sharedNode } from '../../support/rabbitmq.js';
import { exerciseBroker } from '../conformance.js';
import type { Bench } from '../conformance-bench.js';
import { createRabbitBench } from './bench.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function openBench(): Promise<Bench> {
  const { url } = await sharedNode();
  const rabbit = createRabbitBench(url, ['default', 'other']);
  const proxies = new Map<unknown, Awaited<ReturnType<typeof startProxy>>>();
  return {
    make: (options) => rabbit.make(options),
    async open(options) {
      const proxy = await startProxy(url);
      const broker = await rabbit.open({ ...options, urls: [proxy.url] });
      proxies.set(broker, proxy);
      return broker;
    },
    stop: (broker) => broker.stop(),
    // The sockets are reset and stay refused: for the broker the process is gone.
    async crash(broker) {
      const proxy = proxies.get(broker);
      proxy?.refuse(true);
      proxy?.cut();
      // Until both connections have noticed: a stop before that would wait for confirms that cannot come.
      while (broker.stats.isUp) await turn();
      for (let i = 0; i < 10; i++) await turn();
      await broker.stop();
    },
    async plant(_broker, raw) {
      const connection = await amqp.connect(url);
      const channel = await connection.createConfirmChannel();
      channel.publish(`${rabbit.prefix}.jobs`, 'default.normal', raw, {
        messageId: 'x',
        headers: { mine: 1 },
      });
      await channel.waitForConfirms();
      await connection.close();
    },
    async close() {
      await rabbit.close();
      await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
    },
  };
}

exerciseBroker('RabbitMQ', openBench, { countsOnlyStarted: false, keepsAcks: false, keepsPlaces: false });
