import { startProxy } from '../../support/proxy.js';
import { sharedNode } from '../../support/rabbitmq.js';
import type { Bench } from '../conformance.js';
import { exerciseBroker } from '../conformance.js';
import { createRabbitBench } from './bench.js';

exerciseBroker('RabbitMQ', async (): Promise<Bench> => {
  const { url } = await sharedNode();
  const rabbit = createRabbitBench(url);
  const proxies = new Map<unknown, Awaited<ReturnType<typeof startProxy>>>();
  return {
    async open() {
      const proxy = await startProxy(url);
      const broker = await rabbit.open({ urls: [proxy.url] });
      proxies.set(broker, proxy);
      return broker;
    },
    stop: (broker) => broker.stop(),
    // The sockets are reset and stay refused: for the broker the process is gone.
    async crash(broker) {
      const proxy = proxies.get(broker);
      proxy?.refuse(true);
      proxy?.cut();
      await broker.stop();
    },
    async close() {
      await rabbit.close();
      await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
    },
  };
});
