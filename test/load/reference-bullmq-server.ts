/**
 * The reference of the embedded bench: the same Koa route with `queue.add` of BullMQ, as its quick start has it. With
 * CONCURRENCY a worker runs in the same process; `GET /figures` gives the number of jobs it has completed, and the 99th
 * percentile of the event-loop delay in ms since it was last asked, as Node measures it.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import Router from '@koa/router';
import { Queue, Worker } from 'bullmq';
import Koa, { type Context } from 'koa';

const { PORT = '0', REDIS_PORT = '0', QUEUE = '', CONCURRENCY } = process.env;

async function read(context: Context): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of context.req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

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
const router = new Router();
router.post('/v1/jobs', async (context) => {
  const job = JSON.parse((await read(context as Context)).toString('utf8')) as {
    readonly type: string;
    readonly payload: unknown;
  };
  const { id } = await queue.add(job.type, job.payload);
  context.status = 202;
  context.body = { id, state: 'queued' };
});
router.get('/figures', (context) => {
  context.body = { completed, p99Ms: delays.percentile(99) / 1e6 };
  delays.reset();
});
const app = new Koa();
app.use(router.routes());
app.listen(Number(PORT), '127.0.0.1', () => process.stdout.write('ready\n'));
