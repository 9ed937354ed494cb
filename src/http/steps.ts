/** The steps of the HTTP onion around the routes, each its own function; app.ts shows their order. */
import type { IncomingMessage } from 'node:http';
import type { Log } from '../runtime/log.js';
import { type ApiKey, authenticate } from './access.js';
import { answerProblem, requestIdOf } from './answer.js';
import type { HttpObserver, Step } from './context.js';
import { ClientGone, problemOf, Rejection, rejectionOf } from './problem.js';
import type { HttpSpans } from './spans.js';

/** Status told to the observer when the client left before its answer (as nginx logs it). */
const CLIENT_GONE = 499;

/** The routes as labels, a closed set. */
export interface RouteLabels {
  /** Of those without a parameter. */
  readonly paths: ReadonlyMap<string, string>;
  /** Those with one. */
  readonly patterns: readonly { readonly pattern: RegExp; readonly label: string }[];
}

/** Names the route, and tells of each request when it is over. */
export function trace(routes: RouteLabels, observer: HttpObserver, spans: HttpSpans | undefined): Step {
  return async (context, next) => {
    const startedAt = performance.now();
    const { state, req, res } = context;
    state.route = routeOf(routes, req.url ?? '');
    state.span = spans?.request(req, state.route);
    try {
      await next();
    } finally {
      const status = res.headersSent ? res.statusCode : CLIENT_GONE;
      observer.requested(req.method ?? '', state.route, status, (performance.now() - startedAt) / 1000);
      state.span?.end(status);
    }
  };
}

function routeOf({ paths, patterns }: RouteLabels, url: string): string {
  const query = url.indexOf('?');
  const path = query < 0 ? url : url.slice(0, query);
  return paths.get(path) ?? patterns.find(({ pattern }) => pattern.test(path))?.label ?? 'other';
}

/** Answers whatever was thrown further in as problem+json, and logs what we did not foresee. */
export function problems(submitRoutes: ReadonlySet<string>, observer: HttpObserver, log: Log): Step {
  return async (context, next) => {
    try {
      await next();
    } catch (error) {
      const { state, req } = context;
      if (error instanceof ClientGone) {
        context.respond = false;
        log.debug({ route: state.route }, error.message);
        return;
      }
      const rejection = rejectionOf(error);
      if (rejection.code === 'internal_error') {
        const requestId = requestIdOf(context);
        log.error(
          { err: error, requestId, method: req.method, route: state.route },
          'a request has failed unexpectedly',
        );
      }
      if (submitRoutes.has(state.route) && req.method === 'POST') observer.refused(rejection.code);
      answerProblem(context, problemOf(rejection));
    }
  };
}

/** Who is it? What the key may do is asked by the route. */
export function access(keys: readonly ApiKey[], openRoutes: ReadonlySet<string>): Step {
  return (context, next) => {
    const { state, req } = context;
    state.key = openRoutes.has(state.route) ? undefined : authenticate(keys, req.headers.authorization);
    return next();
  };
}

/** Nothing malformed comes in, and nothing new once the stop has begun; the operators' routes still tell so. */
export function admission(isStopping: () => boolean, openRoutes: ReadonlySet<string>): Step {
  return (context, next) => {
    refuseMalformed(context.req);
    if (isStopping() && !openRoutes.has(context.state.route)) {
      throw new Rejection(
        'shutting_down',
        'this server is shutting down, send the request to another or later',
      );
    }
    return next();
  };
}

/** What HTTP/1.1 demands of a request (RFC 9112, section 3.2; RFC 9110, section 10.1.1) and Node's parser leaves to us. */
function refuseMalformed({ httpVersion, headers }: IncomingMessage): void {
  if (headers.host === undefined && httpVersion === '1.1') {
    throw new Rejection('invalid_request', 'a request needs a Host header');
  }
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue') {
    throw new Rejection('invalid_request', "the only expectation met here is '100-continue'");
  }
  // Node takes off the chunks and nothing else: what is compressed below would be read as it is.
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked') {
    throw new Rejection('invalid_request', "the only Transfer-Encoding taken here is 'chunked'");
  }
}
