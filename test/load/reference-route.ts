/** The Koa route that all references have: JSON in, `202` once `take` has resolved with the id. Prints `ready` when it listens on PORT. */
import Router from '@koa/router';
import Koa, { type Context } from 'koa';

export interface Submitted {
  readonly type: string;
  readonly payload: object;
}

/** @param addMore  routes beside it */
export function listen(
  take: (job: Submitted) => Promise<unknown>,
  addMore: (router: Router) => void = () => {},
): void {
  const router = new Router();
  router.post('/v1/jobs', async (context) => {
    const id = await take(JSON.parse((await read(context as Context)).toString('utf8')) as Submitted);
    context.status = 202;
    context.body = { id, state: 'queued' };
  });
  addMore(router);
  const app = new Koa();
  app.use(router.routes());
  app.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1', () => process.stdout.write('ready\n'));
}

async function read(context: Context): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of context.req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
