/** What a handler is. This file and its re-exports are the package's `sluice/handler`: all that a user's handler imports. */
import type { Static, TSchema } from 'typebox';
import { Invalid } from '../job/errors.js';
import { jobTypePattern, queueNamePattern } from '../job/job.js';

export { Cancelled, DeadLetter, RetryLater } from '../job/errors.js';
/** TypeBox, so that a handler's schema and Sluice use one and the same version of it. */
export { Type } from '../runtime/typebox.js';

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
  /** Aborts at the job's deadline, when the job is cancelled and when the worker shuts down. Hand it to every call that takes one. */
  readonly signal: AbortSignal;
  readonly log: HandlerLog;
  /** Reports how far the job is, from 0 to 100 (what is beyond is cut), with a few words for people. */
  progress(percent: number, note?: string): void;
}

export interface Handler<Payload = never, Result = unknown, Type extends string = string> {
  readonly type: Type;
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

/** Any handler, whatever its payload: what lists of handlers hold. A payload is passed to it only after its schema has accepted it. */
export type AnyHandler = Handler<never>;

const MOST_ATTEMPTS = 1000;
const LONGEST_TIMEOUT_MS = 86_400_000;

const knownKeys = new Set(['type', 'queue', 'payload', 'maxAttempts', 'timeoutMs', 'backoff', 'run']);

/**
 * Checks a handler at load and infers its payload's type from its schema (TypeBox, or a JSON Schema written in place), or
 * takes the type given by hand: `defineHandler<MyPayload>({...})`. The typed client (`sluice/client`) knows those whose `type` is known to
 * TypeScript: inferred, or given by hand as well, `defineHandler<MyPayload, MyResult, 'my.type'>({...})`.
 * @throws Invalid  code `invalid_handler`, naming the handler and every fault
 */
export function defineHandler<const Schema extends TSchema, Result, const Type extends string>(
  handler: Omit<Handler<Static<Schema>, Result, Type>, 'payload'> & { readonly payload: Schema },
): Handler<Static<Schema>, Result, Type>;
export function defineHandler<Payload, Result = unknown, Type extends string = string>(
  handler: Handler<Payload, Result, Type>,
): Handler<Payload, Result, Type>;
export function defineHandler(handler: AnyHandler): AnyHandler {
  const faults = faultsOf(handler);
  if (faults.length > 0) {
    const name = isObject(handler) ? `handler ${JSON.stringify(handler['type'])}` : 'a handler';
    throw new Invalid('invalid_handler', `${name}: ${faults.join('; ')}`);
  }
  // Bound, because a spread leaves behind what an object inherits: `run` may be a method of a class.
  return Object.freeze({ ...handler, run: handler.run.bind(handler) });
}

function faultsOf(handler: unknown): string[] {
  if (!isObject(handler)) return [`must be an object with ${[...knownKeys].join(', ')}`];
  const faults: string[] = [];
  for (const key of Object.keys(handler)) {
    if (!knownKeys.has(key)) faults.push(`unknown key '${key}', known are ${[...knownKeys].join(', ')}`);
  }
  const { type, queue, payload, maxAttempts, timeoutMs, backoff, run } = handler;
  if (!matches(type, jobTypePattern)) faults.push(`type must be a string that matches ${jobTypePattern}`);
  if (queue !== undefined && !matches(queue, queueNamePattern)) {
    faults.push(`queue must be a string that matches ${queueNamePattern}`);
  }
  if (!isObject(payload))
    faults.push('payload must be a JSON Schema (TypeBox or a plain object; {} takes anything)');
  if (typeof run !== 'function') faults.push('run must be a function (job, context)');
  if (maxAttempts !== undefined && !isCount(maxAttempts, 1, MOST_ATTEMPTS)) {
    faults.push(`maxAttempts must be a whole number from 1 to ${MOST_ATTEMPTS}`);
  }
  if (timeoutMs !== undefined && !isCount(timeoutMs, 1, LONGEST_TIMEOUT_MS)) {
    faults.push(`timeoutMs must be a whole number from 1 to ${LONGEST_TIMEOUT_MS}`);
  }
  if (backoff !== undefined && !isBackoff(backoff)) {
    faults.push('backoff must be {baseMs, maxMs}, whole numbers with 1 <= baseMs <= maxMs');
  }
  return faults;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function matches(value: unknown, pattern: string): boolean {
  return typeof value === 'string' && new RegExp(pattern).test(value);
}

function isCount(value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): value is number {
  return Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most;
}

function isBackoff(value: unknown): boolean {
  if (!isObject(value) || Object.keys(value).some((key) => key !== 'baseMs' && key !== 'maxMs')) return false;
  const { baseMs, maxMs } = value;
  return isCount(baseMs, 1) && isCount(maxMs, baseMs);
}
