/** What operators' machines ask, open without a key: `/livez`, `/readyz`, `/metrics`. */
import type Router from '@koa/router';
import type { NotReady } from '../api/health.js';
import type { Health } from '../runtime/service.js';
import { answer } from './answer.js';
import type { HttpContext, RequestState } from './context.js';
import { Rejection } from './problem.js';

export interface OpsOptions {
  /** What must work for traffic to be sent here, by name. */
  readonly health: Readonly<Record<string, () => Health>>;
  readonly metrics: Metrics;
  readonly isStopping: () => boolean;
}

export interface Metrics {
  readonly contentType: string;
  render(): Promise<string>;
}

export const opsPaths = ['/livez', '/readyz', '/metrics'] as const;

export function addOpsRoutes(
  router: Router<RequestState>,
  { health, metrics, isStopping }: OpsOptions,
): void {
  // To answer at all is the proof that the loop turns. A broker that is away is no reason to restart a process.
  router.get('/livez', (context: HttpContext) => answer(context, 200, '{"status":"live"}'));

  router.get('/readyz', (context: HttpContext) => {
    if (isStopping()) {
      const extra = { reasons: { process: 'shutting down' } satisfies NotReady['reasons'] };
      throw new Rejection('shutting_down', 'this process is shutting down', { extra });
    }
    const reasons: NotReady['reasons'] = Object.fromEntries(
      Object.entries(health).flatMap(([name, ask]) => {
        const state = healthOf(ask);
        return state.ok ? [] : [[name, state.reason]];
      }),
    );
    const faults = Object.entries(reasons).map(([name, reason]) => `${name}: ${reason}`);
    if (faults.length > 0)
      throw new Rejection('broker_unavailable', faults.join('; '), { extra: { reasons } });
    answer(context, 200, '{"status":"ready"}');
  });

  router.get('/metrics', async (context: HttpContext) => {
    answer(context, 200, await metrics.render(), undefined, metrics.contentType);
  });
}

function healthOf(ask: () => Health): Health {
  try {
    return ask();
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
