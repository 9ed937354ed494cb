/** What a handler is. This file and its re-exports are the package's `sluice/handler`: all that a user's handler imports. */
import type { Static, TSchema } from 'typebox';
import { Invalid } from '../job/errors.js';
import { jobTypePattern, queueNamePattern } from '../job/job.js';

export { Cancelled, DeadLetter, RetryLater } from '../job/errors.js';

/** The job as its handler sees it: an immutable snapshot; `payload` is the handler's own copy. */
export interface HandlerJob<Payload = unknown> {
  readonly id: string;
  readonly type: string;
  readonly queue: string;
  readonly payload: Payload;
  /** Counts from 1 within a run. A job can be delivered twice with the same attempt: make handlers idempotent by `id`. */
  readonly attempt: number;
  /** Counts from 1; one more per replay. */
  readonly run: number;
  /** ISO 8601. */
  readonly acceptedAt: string;
}

export interface HandlerLog {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}

export interface HandlerContext {
  /** Aborts at the job's deadline and when the worker shuts down. Hand it to every call that takes one. */
  readonly signal: AbortSignal;
  readonly log: HandlerLog;
  /** Reports how far the job is, 0 to 100. */
  progress(percent: number, note?: string): void;
}

export interface Handler<Payload = never, Result = unknown> {
  readonly type: string;
  /** Default `default`. */
  readonly queue?: string;
  /** JSON Schema (2020-12) of the payload; what does not fit is refused at ingestion. */
  readonly payload: object;
  /** Attempts of one run, the first included. Overrides the setting, is overridden by the request. */
  readonly maxAttempts?: number;
  /** Time limit of one attempt in ms. Overrides the setting, is overridden by the request. */
  readonly timeoutMs?: number;
  /** Exponential backoff with full jitter: a random wait below min(maxMs, baseMs * 2^(attempt - 1)). */
  readonly backoff?: { readonly baseMs: number; readonly maxMs: number };
  /** The value it resolves to is the job's result. Whatever it throws is retried, except `DeadLetter` and `Cancelled`. */
  run(job: HandlerJob<Payload>, context: HandlerContext): Promise<Result> | Result;
}

const knownKeys = new Set(['type', 'queue', 'payload', 'maxAttempts', 'timeoutMs', 'backoff', 'run']);

/**
 * Checks a handler at load and infers its payload's type from its schema (TypeBox, or any JSON Schema with the type
 * given by hand: `defineHandler<MyPayload>({...})`).
 * @throws Invalid  naming the handler and every fault
 */
export function defineHandler<const Schema extends TSchema, Result>(
  handler: Omit<Handler<Static<Schema>, Result>, 'payload'> & { readonly payload: Schema },
): Handler<Static<Schema>, Result>;
export function defineHandler<Payload, Result = unknown>(handler: Handler<Payload, Result>): Handler<Payload, Result>;
export function defineHandler(handler: Handler<never>): Handler<never> {
  const faults = faultsOf(handler);
  if (faults.length > 0) {
    throw new Invalid('invalid_handler', `handler ${JSON.stringify(handler?.type)}: ${faults.join('; ')}`);
  }
  return Object.freeze({ ...handler });
}

function faultsOf(handler: Handler<never>): string[] {
  if (typeof handler !== 'object' || handler === null) return ['must be an object'];
  const faults: string[] = [];
  const isCount = (value: unknown, least: number): boolean => Number.isSafeInteger(value) && Number(value) >= least;
  for (const key of Object.keys(handler)) {
    if (!knownKeys.has(key)) faults.push(`unknown key '${key}', known are ${[...knownKeys].join(', ')}`);
  }
  if (typeof handler.type !== 'string' || !new RegExp(jobTypePattern).test(handler.type)) {
    faults.push(`type must match ${jobTypePattern}`);
  }
  if (handler.queue !== undefined && !new RegExp(queueNamePattern).test(handler.queue)) {
    faults.push(`queue must match ${queueNamePattern}`);
  }
  if (typeof handler.payload !== 'object' || handler.payload === null) faults.push('payload must be a JSON Schema');
  if (typeof handler.run !== 'function') faults.push('run must be a function (job, context)');
  if (handler.maxAttempts !== undefined && !isCount(handler.maxAttempts, 1)) faults.push('maxAttempts must be a whole number from 1');
  if (handler.timeoutMs !== undefined && !isCount(handler.timeoutMs, 1)) faults.push('timeoutMs must be a whole number from 1');
  const backoff = handler.backoff;
  if (backoff !== undefined && !(isCount(backoff.baseMs, 1) && isCount(backoff.maxMs, backoff.baseMs))) {
    faults.push('backoff must be {baseMs, maxMs}, whole numbers with 1 <= baseMs <= maxMs');
  }
  return faults;
}
