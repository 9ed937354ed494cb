/** One attempt at a job, from its bytes to its outcome: not expired, decoded, handler found, run under its deadline. */
import { isUtf8 } from 'node:buffer';
import type { Handler, HandlerContext, HandlerJob, HandlerLog } from '../handler/define.js';
import { SluiceError, Undecodable } from '../job/errors.js';
import { acceptedAtMs, type Job } from '../job/job.js';
import type { Outcome } from '../job/outcome.js';
import { type Backoff, decideOutcome, type Ending, type RetryPolicy } from '../job/retry.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import { runWithDeadline } from './deadline.js';
import type { JobObserver } from './observer.js';
import { timeoutWarning } from './prefetch.js';

/** The handlers this worker knows, by job type. */
export interface HandlerSource {
  get(type: string): Handler | undefined;
}

/** What holds where neither the request nor the handler says otherwise. */
export interface JobDefaults {
  readonly maxAttempts: number;
  readonly timeoutMs: number;
  readonly backoff: Backoff;
}

export interface AttemptOptions {
  readonly registry: HandlerSource;
  readonly defaults: JobDefaults;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly observer: Pick<JobObserver, 'started'>;
  readonly consumerTimeoutMs: number;
  /** How long a handler may go on after its signal before its slot is given to another job. */
  readonly graceMs: number;
}

/** `aborted`: the worker stops, and the attempt counts for nothing. */
export type Decision =
  | { readonly kind: 'decided'; readonly outcome: Outcome; readonly durationMs: number }
  | { readonly kind: 'aborted' };

export interface Attempt {
  /** Never rejects. */
  readonly decided: Promise<Decision>;
  /** When the slot is free. Never rejects. */
  readonly released: Promise<void>;
  /** Because the worker stops. */
  abort(): void;
}

type Limits = RetryPolicy & { readonly timeoutMs: number };

/** Begins attempts; each runs on its own from there. */
export function createAttempts(options: AttemptOptions): (job: Job) => Attempt {
  const { registry, defaults, clock, random, log, observer, consumerTimeoutMs, graceMs } = options;
  const warnedTypes = new Set<string>();

  function decide(job: Job, ending: Ending, limits: Limits, durationMs: number): Decision {
    const outcome = decideOutcome(ending, job.attempt, limits, random);
    logOutcome(log, job, outcome, limits.maxAttempts);
    return { kind: 'decided', outcome, durationMs };
  }

  function warnOfTimeout(job: Job, timeoutMs: number): void {
    const warning = timeoutWarning(timeoutMs, consumerTimeoutMs);
    if (warning === undefined || warnedTypes.has(job.type)) return;
    warnedTypes.add(job.type); // bounded: only types of the registry come here
    log.warn({ job: job.id, type: job.type }, warning);
  }

  return function begin(job) {
    const handler = registry.get(job.type);
    const limits = limitsOf(job, handler, defaults);
    const startedAtMs = clock.now();
    const prepared = prepare(job, handler, startedAtMs);
    if (prepared.kind !== 'ready') return decidedAtOnce(decide(job, prepared, limits, 0));

    warnOfTimeout(job, limits.timeoutMs);
    observer.started(job, Math.max(0, startedAtMs - job.dueAtMs));
    const course = runWithDeadline(
      (signal) => prepared.handler.run(prepared.snapshot as HandlerJob<never>, contextOf(job, signal, log)),
      { clock, timeoutMs: limits.timeoutMs, graceMs },
    );
    return {
      decided: course.ended.then((ended) =>
        ended.kind === 'aborted' ? ended : decide(job, ended, limits, clock.now() - startedAtMs),
      ),
      released: course.released.then((how) => {
        if (how === 'ended') return;
        log.error(
          { job: job.id, type: job.type, graceMs },
          `the handler of ${job.type} goes on after its signal has aborted; its slot is given to another job. ` +
            'Hand context.signal to every call that takes one',
        );
      }),
      abort: () => course.abort(),
    };
  };
}

function limitsOf(job: Job, handler: Handler | undefined, defaults: JobDefaults): Limits {
  return {
    maxAttempts: job.maxAttempts ?? handler?.maxAttempts ?? defaults.maxAttempts,
    timeoutMs: job.timeoutMs ?? handler?.timeoutMs ?? defaults.timeoutMs,
    backoff: handler?.backoff ?? defaults.backoff,
  };
}

type Prepared =
  | { readonly kind: 'ready'; readonly handler: Handler; readonly snapshot: HandlerJob }
  | Extract<Ending, { kind: 'expired' | 'thrown' }>;

/** The steps before the handler; the first that objects ends the attempt. */
function prepare(job: Job, handler: Handler | undefined, nowMs: number): Prepared {
  if (job.expiresAtMs !== undefined && nowMs > job.expiresAtMs) {
    return { kind: 'expired', expiresAtMs: job.expiresAtMs };
  }
  try {
    const payload = decodePayload(job.body);
    if (handler === undefined) throw unknownType(job.type);
    return { kind: 'ready', handler, snapshot: snapshotOf(job, payload) };
  } catch (thrown) {
    return { kind: 'thrown', thrown };
  }
}

/** @throws Undecodable */
function decodePayload(body: Buffer): unknown {
  // JSON is UTF-8 (RFC 8259, section 8.1); decoding would quietly put U+FFFD in place of what is not.
  if (!isUtf8(body)) throw new Undecodable('the body is not UTF-8; send the payload as JSON text in UTF-8');
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new Undecodable('the body is not JSON; send the payload as JSON text in UTF-8', { cause });
  }
}

function unknownType(type: string): SluiceError {
  return new SluiceError(
    'unknown_job_type',
    `this worker has no handler for the type ${JSON.stringify(type)}; load one with HANDLERS, or finish the deployment that brings it`,
  );
}

function snapshotOf(job: Job, payload: unknown): HandlerJob {
  return Object.freeze({
    id: job.id,
    type: job.type,
    queue: job.queue,
    payload,
    attempt: job.attempt,
    run: job.run,
    acceptedAt: acceptedAtOf(job),
  });
}

/** ISO 8601. The id of a job that another program published need not be a UUID v7, and then holds no time of acceptance. */
function acceptedAtOf(job: Job): string {
  const time = new Date(uuidV7.test(job.id) ? acceptedAtMs(job) : job.dueAtMs);
  return Number.isNaN(time.getTime()) ? new Date(0).toISOString() : time.toISOString();
}

const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7/i;

function contextOf(job: Job, signal: () => AbortSignal, log: Log): HandlerContext {
  return Object.freeze({
    get signal() {
      return signal();
    },
    log: handlerLog(job, log),
    progress(percent: number, note?: string) {
      log.debug({ job: job.id, percent, note }, 'progress');
    },
  });
}

/** Most handlers never log, so the child logger is made at the first line. */
function handlerLog(job: Job, log: Log): HandlerLog {
  let child: Log | undefined;
  const own = (): Log => {
    child ??= log.child({ job: job.id, type: job.type });
    return child;
  };
  return {
    debug: (message, fields = {}) => own().debug(fields, message),
    info: (message, fields = {}) => own().info(fields, message),
    warn: (message, fields = {}) => own().warn(fields, message),
    error: (message, fields = {}) => own().error(fields, message),
  };
}

function decidedAtOnce(decision: Decision): Attempt {
  return { decided: Promise.resolve(decision), released: Promise.resolve(), abort: () => {} };
}

function logOutcome(log: Log, job: Job, outcome: Outcome, maxAttempts: number): void {
  const about = { job: job.id, type: job.type, queue: job.queue, attempt: job.attempt, maxAttempts };
  switch (outcome.kind) {
    case 'succeeded':
      return;
    case 'retried':
      log.info(
        { ...about, delayMs: outcome.delayMs, failure: outcome.failure },
        'the job failed and is tried again',
      );
      return;
    case 'dead':
      log.warn(
        { ...about, reason: outcome.reason, failure: outcome.failure },
        'the job goes to the dead letters',
      );
      return;
    case 'cancelled':
      log.info({ ...about, failure: outcome.failure }, 'the job was cancelled by its handler');
      return;
  }
}
