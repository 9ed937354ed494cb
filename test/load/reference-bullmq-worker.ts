/** The reference of the embedded bench's drain: a BullMQ worker that does nothing. */
import { Worker } from 'bullmq';

const { REDIS_PORT = '0', QUEUE = '', CONCURRENCY = '1' } = process.env;

const worker = new Worker(QUEUE, async () => {}, {
  connection: { host: '127.0.0.1', port: Number(REDIS_PORT) },
  concurrency: Number(CONCURRENCY),
});
await worker.waitUntilReady();
process.stdout.write('ready\n');
process.once('SIGTERM', () => void worker.close());
