/** The reference of the benches of drain and pickup: a BullMQ worker that does nothing, or says how long after its request was to leave a job began. */
import { type Job, Worker } from 'bullmq';

const { REDIS_PORT = '0', QUEUE = '', CONCURRENCY = '1' } = process.env;

async function run({ data }: Job<{ readonly sentAtMs?: number }>): Promise<void> {
  if (data.sentAtMs === undefined) return;
  process.stdout.write(`picked up after ${performance.timeOrigin + performance.now() - data.sentAtMs} ms\n`);
}

const worker = new Worker(QUEUE, run, {
  connection: { host: '127.0.0.1', port: Number(REDIS_PORT) },
  concurrency: Number(CONCURRENCY),
});
await worker.waitUntilReady();
process.stdout.write('ready\n');
process.once('SIGTERM', () => void worker.close());
