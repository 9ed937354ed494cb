/** What the steps of the HTTP onion pass to each other, and what the rest of Sluice can learn of a request. */
import type { Middleware, ParameterizedContext } from 'koa';
import type { ErrorCode } from '../api/contract.js';
import type { Job } from '../job/job.js';
import type { ApiKey } from './access.js';
import type { RequestSpan } from './spans.js';

/** The whole of `ctx.state`: four properties, no bag. */
export interface RequestState {
  /** The pattern of the route, or `other`: a closed set, fit for a label. */
  route: string;
  /** Whose key it is; undefined where no key is needed. */
  key: ApiKey | undefined;
  /** Tells a refusal's answer and its log line to belong together; made when one of them needs it. */
  requestId: string | undefined;
  /** Undefined where nobody looks. */
  span: RequestSpan | undefined;
}

export type HttpContext = ParameterizedContext<RequestState>;
export type Step = Middleware<RequestState>;
export type Answering = (context: HttpContext) => Promise<void> | void;

/** Told of what happens at the HTTP side; calls are synchronous and must not throw. */
export interface HttpObserver {
  /**
   * The broker has confirmed the job; after the answer where the confirm came late. `isAgain`: its id was published before, with
   * an unknown outcome.
   */
  accepted(job: Job, isAgain?: true): void;
  /** A job, or a whole request to submit some, was refused. */
  refused(code: ErrorCode): void;
  /** A request is over. `route` is a route's pattern or `other`; `status` 499 means that the client left before the answer. */
  requested(method: string, route: string, status: number, seconds: number): void;
}

export const silentObserver: HttpObserver = { accepted() {}, refused() {}, requested() {} };
