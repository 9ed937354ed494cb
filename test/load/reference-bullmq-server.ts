/**
 * The reference of the embedded bench: the same Koa route with `queue.add` of BullMQ, as its quick start has it. With
 * CONCURRENCY a worker runs in the same process; `GET /figures` gives the number of jobs it has completed, and the 99th
 * percentile of the event-loop delay in ms since it was last asked, as Node measures it.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Queue, Worker } from 'bullmq';
import { listen } from './reference-route.js';

const { REDIS_PORT = '0', QUEUE = '', CONCURRENCY } = process.env;

const connection = { host: '127.0.0.1', port: Number(REDIS_PORT) };
const queue = new Queue(QUEUE, { connection, defaultJobOptions: { removeOnComplete: true } });
await queue.waitUntilReady();
let completed = 0;
if (CONCURRENCY !== undefined) {
  const worker = new Worker(QUEUE, async () => {}, { connection, concurrency: Number(CONCURRENCY) });
  worker.on('completed', () => {
    completed += 1;
  });
  await worker.waitUntilReady();
}

const delays = monitorEventLoopDelay({ resolution: 10 });
delays.enable();
listen(
  async ({ type, payload }) => (await queue.add(type, payload)).id,
  (router) =>
    router.get('/figures', (context) => {
      context.body = { completed, p99Ms: delays.percentile(99) / 1e6 };
      delays.reset();
    }),
);
