/** A reference of the bench of peers: the same Koa route with `send` of pg-boss, as its documentation has it. */
import Router from '@koa/router';
import Koa, { type Context } from 'koa';
import PgBoss from 'pg-boss';

const { PORT = '0', DATABASE_URL = '', QUEUE = '' } = process.env;

async function read(context: Context): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of context.req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const boss = new PgBoss(DATABASE_URL);
boss.on('error', (error) => process.stderr.write(`${error.message}\n`));
await boss.start();
await boss.createQueue(QUEUE);
const router = new Router();
router.post('/v1/jobs', async (context) => {
  const job = JSON.parse((await read(context as Context)).toString('utf8')) as { readonly payload: object };
  const id = await boss.send(QUEUE, job.payload);
  context.status = 202;
  context.body = { id, state: 'queued' };
});
const app = new Koa();
app.use(router.routes());
app.listen(Number(PORT), '127.0.0.1', () => process.stdout.write('ready\n'));
