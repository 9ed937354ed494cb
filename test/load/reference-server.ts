/** The reference of the ingestion bench: the same Koa route with JSON body, answering 202 at once, or after a raw confirmed publish. */
import Router from '@koa/router';
import amqp from 'amqplib';
import Koa, { type Context } from 'koa';

const { PORT = '0', AMQP_URL, QUEUE = '' } = process.env;

async function createPublish(url: string): Promise<(body: Buffer) => Promise<void>> {
  const connection = await amqp.connect(url, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  return (body) =>
    new Promise((resolve, reject) => {
      channel.publish('', QUEUE, body, { persistent: true }, (error: unknown) =>
        error ? reject(error instanceof Error ? error : new Error(String(error))) : resolve(),
      );
    });
}

async function read(context: Context): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of context.req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const publish = AMQP_URL === undefined ? undefined : await createPublish(AMQP_URL);
const router = new Router();
let count = 0;
router.post('/v1/jobs', async (context) => {
  const job = JSON.parse((await read(context as Context)).toString('utf8')) as { payload: unknown };
  count += 1;
  if (publish !== undefined) await publish(Buffer.from(JSON.stringify(job.payload)));
  context.status = 202;
  context.body = { id: String(count), state: 'queued' };
});
const app = new Koa();
app.use(router.routes());
app.listen(Number(PORT), '127.0.0.1', () => process.stdout.write('ready\n'));
