/** The HTTP side put together: the onion as one list, the routes, and the server that carries them. */
import Router from '@koa/router';
import Koa from 'koa';
import type { Scope } from '../api/constants.js';
import type { Broker } from '../broker/broker.js';
import { type Clock, systemClock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Health, Service } from '../runtime/service.js';
import type { IdempotencyKeys } from '../store/store.js';
import { type ApiKey, authorize } from './access.js';
import { createBatchRoute } from './batch.js';
import { createBodies } from './body.js';
import {
  type Answering,
  type HttpObserver,
  type RequestState,
  type Step,
  silentObserver,
} from './context.js';
import { addDeskRoutes, type Desk } from './desk.js';
import { createIdempotency } from './idempotency.js';
import { createJobsRoute } from './jobs.js';
import { addOpsRoutes, type Metrics, opsPaths } from './ops.js';
import { Rejection } from './problem.js';
import { createRecent, type Recent } from './recent.js';
import { type Address, createHttpServer, type ServerTimeouts } from './server.js';
import type { HttpSpans } from './spans.js';
import type { Static } from './static.js';
import { access, admission, problems, type RouteLabels, trace } from './steps.js';
import { createSubmission, type JobTypes } from './submission.js';
import { createWindow } from './window.js';

export interface HttpOptions {
  readonly host: string;
  /** 0 takes any free one; `address` tells which. */
  readonly port: number;
  /** None: open to everyone. */
  readonly keys: readonly ApiKey[];
  /** What `/readyz` asks, by name. */
  readonly health: Readonly<Record<string, () => Health>>;
  readonly metrics: Metrics;
  readonly log: Log;
  /** The ingestion routes; without it the server answers the operators' routes alone, as for `sluice work`. */
  readonly ingestion?: Ingestion;
  /** The routes that read, cancel and replay jobs. */
  readonly desk?: Desk;
  /** Files for browsers. */
  readonly statics?: readonly Static[];
  readonly observer?: HttpObserver;
  /** Without it no request is shown as a span. */
  readonly spans?: HttpSpans | undefined;
  readonly timeouts?: Partial<HttpTimeouts>;
  readonly clock?: Clock;
}

export interface Ingestion {
  readonly broker: Pick<Broker, 'publish' | 'durability'>;
  readonly jobTypes: JobTypes;
  /** One job, one item of a batch, one line. */
  readonly maxBodyBytes: number;
  readonly maxBatchBytes: number;
  readonly maxBatchJobs: number;
  /** The broker's window of unconfirmed publishes; batches together take half of it, so that single jobs find room. */
  readonly publishWindow: number;
  /** Where keys are kept, and for how long; without it a request with an `Idempotency-Key` is refused. */
  readonly idempotency?: { readonly keys: IdempotencyKeys; readonly ttlMs: number };
}

export interface HttpTimeouts extends ServerTimeouts {
  /** From headers to the end of a body that is read whole; in an NDJSON stream, the longest silence. */
  readonly bodyMs: number;
}

export interface Http extends Service {
  /** Where it listens. Throws before `start` has resolved. */
  readonly address: Address;
}

const defaultTimeouts: HttpTimeouts = {
  headersMs: 10_000,
  requestMs: 600_000,
  idleMs: 120_000,
  keepAliveMs: 65_000,
  graceMs: 10_000,
  bodyMs: 30_000,
};
/** How many of the largest batches, or as many bytes of single jobs, are in memory at a time. */
const HELD_BATCHES = 4;

const jobsPath = '/v1/jobs';
const batchPath = '/v1/jobs/batch';

/** `start` rejects with SluiceError `listen_failed` when the address cannot be had; a stopped one does not start again. */
export function createHttp(options: HttpOptions): Http {
  const { keys, log, ingestion, desk, statics = [], clock = systemClock } = options;
  const recent = desk === undefined ? undefined : createRecent();
  const observer = remembering(options.observer ?? silentObserver, recent);
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const isStopping = (): boolean => server.isStopping;
  const router = new Router<RequestState>({ strict: true, sensitive: true });
  addOpsRoutes(router, { health: options.health, metrics: options.metrics, isStopping });
  for (const files of statics) files.addTo(router);

  const routes = ingestion ? ingestionRoutes(ingestion) : undefined;
  if (routes) {
    router.post(jobsPath, scoped('submit', withoutQuery(routes.jobs)));
    router.post(batchPath, scoped('submit', withoutQuery(routes.batch)));
    // Else the path would be taken for that of a job.
    router.all(batchPath, () => refuseMethod(['POST']));
  }
  const deskRoutes =
    desk && recent
      ? addDeskRoutes(router, scoped, { ...desk, recent, log, clock, bodyMs: timeouts.bodyMs })
      : undefined;
  const labels: RouteLabels = {
    paths: new Map([
      ...[...opsPaths, ...(routes || deskRoutes ? [jobsPath] : []), ...(routes ? [batchPath] : [])].map(
        (path) => [path, path] as const,
      ),
      ...statics.flatMap(({ labels }) => [...labels]),
    ]),
    patterns: deskRoutes?.labels ?? [],
  };
  const openRoutes = new Set<string>([...opsPaths, ...statics.flatMap(({ labels }) => [...labels.values()])]);

  const app = new Koa<RequestState>();
  // The onion, from the outside in.
  app.use(trace(labels, observer, options.spans));
  app.use(problems(new Set([jobsPath, batchPath]), observer, log));
  app.use(access(keys, openRoutes));
  app.use(admission(isStopping, openRoutes));
  if (routes) app.use(hotRoute(scoped('submit', routes.jobs)));
  app.use(router.routes());
  app.use(unmatched(router));
  // Every refusal was answered by `problems`; what comes here is a connection that broke while its answer was written.
  app.on('error', (error: unknown) => log.debug({ err: error }, 'an answer could not be delivered'));

  const handle = app.callback();
  const server = createHttpServer(
    {
      host: options.host,
      port: options.port,
      timeouts,
      clock,
      log,
      broken: (status) => observer.requested('other', 'other', status, 0),
    },
    (req, res) => void handle(req, res),
  );

  function ingestionRoutes(given: Ingestion): {
    readonly jobs: Answering;
    readonly batch: Answering;
    close(): void;
  } {
    const { broker, jobTypes, publishWindow, idempotency: keptKeys, ...limits } = given;
    const heldBytes = HELD_BATCHES * Math.max(limits.maxBatchBytes, limits.maxBodyBytes);
    const bodies = createBodies({ timeoutMs: timeouts.bodyMs, heldBytes, clock });
    const idempotency = keptKeys && createIdempotency({ ...keptKeys, clock, log, isStopping });
    const shared = { broker, bodies, observer, idempotency };
    const window = createWindow(Math.max(1, Math.floor(publishWindow / 2)), limits.maxBatchBytes);
    const jobs = createJobsRoute({
      ...shared,
      ...limits,
      submission: createSubmission({ jobTypes, clock, form: 'single' }),
    });
    const batch = createBatchRoute({
      ...shared,
      ...limits,
      submission: createSubmission({ jobTypes, clock, form: 'item' }),
      window,
      clock,
      log,
      idleMs: timeouts.bodyMs,
      isStopping,
    });
    return { jobs: scoped('submit', jobs), batch: scoped('submit', batch), close: () => bodies.close() };
  }

  function scoped(scope: Scope, route: Answering): Answering {
    return (context) => {
      authorize(keys, context.state.key, scope);
      return route(context);
    };
  }

  return {
    start: () => server.start(),
    async stop() {
      const stopped = server.stop();
      deskRoutes?.stopWaiting();
      await stopped;
      routes?.close();
      deskRoutes?.close();
    },
    get address() {
      return server.address;
    },
  };
}

/** What was accepted is remembered before anybody is told. */
function remembering(observer: HttpObserver, recent: Recent | undefined): HttpObserver {
  if (recent === undefined) return observer;
  return {
    ...observer,
    accepted(job, isAgain) {
      recent.add(job);
      observer.accepted(job, isAgain);
    },
  };
}

/** `POST /v1/jobs` is matched by hand: the router would cost it a fifth of its speed. */
function hotRoute(jobs: Answering): Step {
  return (context, next) => {
    const { req } = context;
    return req.method === 'POST' && req.url === jobsPath ? jobs(context) : next();
  };
}

/** No ingestion route takes query parameters; `?delayMs=1000` must not be accepted and ignored. */
function withoutQuery(route: Answering): Answering {
  return (context) => {
    const { querystring } = context;
    if (querystring !== '') {
      throw new Rejection(
        'invalid_request',
        'this route takes no query parameters, send the fields in the body',
      );
    }
    return route(context);
  };
}

/** What no route has taken: another method's path, or nobody's. */
function unmatched(router: Router<RequestState>): Step {
  return ({ path, method }) => {
    const allowed = [...new Set(router.match(path, method).path.flatMap((layer) => layer.methods))];
    if (allowed.length === 0) throw new Rejection('not_found', 'there is nothing at this path');
    refuseMethod(allowed);
  };
}

function refuseMethod(allowed: readonly string[]): never {
  const listed = allowed.join(', ');
  throw new Rejection('method_not_allowed', `this path takes ${listed}`, { headers: { Allow: listed } });
}
