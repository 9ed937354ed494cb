/** `/v1/queues`: how queues stand, and what operators order them. */
import type Router from '@koa/router';
import { QueueChange, type QueueList } from '../api/queues.js';
import type { Queues } from '../operations/queues.js';
import { answer } from './answer.js';
import { type Bodies, requireMediaType } from './body.js';
import type { Answering, HttpContext, RequestState } from './context.js';
import { parseJson } from './json.js';
import { withoutBody } from './optional-body.js';
import { Rejection } from './problem.js';
import { parametersOf } from './reading.js';
import { checkOf } from './wire-schema.js';

export interface QueueRoutes {
  readonly list: Answering;
  readonly get: Answering;
  readonly pause: Answering;
  readonly resume: Answering;
  readonly purge: Answering;
  readonly change: Answering;
}

export interface QueueRoutesOptions {
  readonly queues: Queues;
  readonly bodies: Bodies;
  readonly maxBodyBytes: number;
}

export const queuePaths = {
  list: '/v1/queues',
  one: '/v1/queues/:name',
  pause: '/v1/queues/:name/pause',
  resume: '/v1/queues/:name/resume',
  purge: '/v1/queues/:name/purge',
} as const;

/** @param scoped  asks for the scope before the route runs */
export function addQueueRoutes(
  router: Router<RequestState>,
  routes: QueueRoutes,
  scoped: (scope: 'read' | 'operate', route: Answering) => Answering,
): void {
  router.get(queuePaths.list, scoped('read', routes.list));
  router.get(queuePaths.one, scoped('read', routes.get));
  router.patch(queuePaths.one, scoped('operate', routes.change));
  router.post(queuePaths.pause, scoped('operate', routes.pause));
  router.post(queuePaths.resume, scoped('operate', routes.resume));
  router.post(queuePaths.purge, scoped('operate', routes.purge));
}

export function createQueueRoutes({ queues, bodies, maxBodyBytes }: QueueRoutesOptions): QueueRoutes {
  const fits = checkOf<QueueChange>(QueueChange);

  function ordering(kind: 'pause' | 'resume' | 'purge'): Answering {
    return async (context) => {
      const name = nameOf(context, queues.names);
      parametersOf(context);
      await withoutBody(context, bodies);
      answerJson(context, 202, await queues.order(name, { kind }));
    };
  }

  return {
    async list(context) {
      parametersOf(context);
      answerJson(context, 200, { queues: [...(await queues.list())] } satisfies QueueList);
    },
    async get(context) {
      const name = nameOf(context, queues.names);
      parametersOf(context);
      answerJson(context, 200, await queues.get(name));
    },
    pause: ordering('pause'),
    resume: ordering('resume'),
    purge: ordering('purge'),
    async change(context) {
      const name = nameOf(context, queues.names);
      parametersOf(context);
      const { req, res } = context;
      requireMediaType(req, ['application/json']);
      const bytes = await bodies.read(req, res, maxBodyBytes);
      try {
        const { value } = parseJson(bytes);
        if (!fits(value))
          throw new Rejection(
            'invalid_job',
            'send {"concurrency": n}, a whole number from 1 to 10000, or null to go back to the workers\' setting',
          );
        const { concurrency } = value;
        answerJson(context, 202, await queues.order(name, { kind: 'concurrency', concurrency }));
      } finally {
        bodies.release(bytes);
      }
    },
  };
}

/** The name in the path, of a queue that there is. @throws Rejection not_found */
function nameOf(context: HttpContext, known: readonly string[]): string {
  const { name = '' } = (context as HttpContext & { params: Record<string, string> }).params;
  if (known.includes(name)) return name;
  throw new Rejection('not_found', `there is no queue '${name.slice(0, 64)}'; known are ${known.join(', ')}`);
}

function answerJson(context: HttpContext, status: number, body: unknown): void {
  answer(context, status, JSON.stringify(body));
}
