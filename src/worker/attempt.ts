/** One attempt at a job, from its bytes to its outcome: wanted, not expired, decoded, handler found, run under its deadline. */
import { isUtf8 } from 'node:buffer';
import type { EventSender } from '../events/sender.js';
import type { Handler, HandlerJob } from '../handler/define.js';
import { SluiceError, Undecodable } from '../job/errors.js';
import { maskedFailure } from '../job/failure.js';
import type { Job } from '../job/job.js';
import { logFieldsOf } from '../job/log-fields.js';
import type { Outcome } from '../job/outcome.js';
import {
  type Backoff,
  type CancelCause,
  decideOutcome,
  type Ending,
  type RetryPolicy,
} from '../job/retry.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import { contextOf, snapshotOf } from './context.js';
import { type Ended, runWithDeadline } from './deadline.js';
import type { Decision } from './decision.js';
import { started } from './job-events.js';
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
  readonly events: Pick<EventSender, 'tell'>;
  /** Why a job is not to begin, or undefined when it may. */
  readonly causeToCancel: (job: Job) => CancelCause | undefined;
  readonly consumerTimeoutMs: number;
  /** How long a handler may go on after its signal before its slot is given to another job. */
  readonly graceMs: number;
  /** Takes secrets out of what is told of a failure, to people and to other programs. */
  readonly mask?: (text: string) => string;
}

/** Told once each; in the same call when the attempt ends before its handler begins. */
export interface AttemptWatcher {
  decided(decision: Decision): void;
  /** The slot is free. */
  released(): void;
}

export interface Attempt {
  /** Because the worker stops. */
  abort(): void;
  /** Because the job is no longer wanted. A result all the same counts. */
  cancel(): void;
}

/** Begins an attempt, which runs on its own from there. @throws when it cannot begin here; then the watcher is told nothing */
export type Begin = (job: Job, watcher: AttemptWatcher) => Attempt;

type Limits = RetryPolicy & { readonly timeoutMs: number };

/** What begins attempts. */
export function createAttempts(options: AttemptOptions): Begin {
  const { registry, defaults, clock, random, log, observer, events, consumerTimeoutMs, graceMs } = options;
  const warnedTypes = new Set<string>();
  const forContext = { events, clock, log };

  function decide(job: Job, ending: Ending, limits: Limits, startedAtMs?: number): Decision {
    const durationMs = startedAtMs === undefined ? 0 : clock.now() - startedAtMs;
    const outcome = withoutSecrets(decideOutcome(ending, job.attempt, limits, random), options.mask);
    logOutcome(log, job, outcome, limits.maxAttempts);
    return { kind: 'decided', outcome, startedAtMs, durationMs };
  }

  function warnOfTimeout(job: Job, timeoutMs: number): void {
    const warning = timeoutWarning(timeoutMs, consumerTimeoutMs);
    if (warning === undefined || warnedTypes.has(job.type)) return;
    warnedTypes.add(job.type); // bounded: only types of the registry come here
    log.warn({ job: job.id, type: job.type }, warning);
  }

  function decisionOf(job: Job, ended: Ended, limits: Limits, startedAtMs: number): Decision {
    switch (ended.kind) {
      case 'aborted':
        return { kind: 'aborted' };
      case 'cancelled':
        return decide(job, { kind: 'cancelled', by: 'order' }, limits, startedAtMs);
      default:
        return decide(job, ended, limits, startedAtMs);
    }
  }

  return function begin(job, watcher) {
    const handler = registry.get(job.type);
    const limits = limitsOf(job, handler, defaults);
    const startedAtMs = clock.now();
    const prepared = prepare(job, handler, startedAtMs, options.causeToCancel(job));
    if (prepared.kind !== 'ready') {
      watcher.decided(decide(job, prepared, limits));
      watcher.released();
      return over;
    }

    warnOfTimeout(job, limits.timeoutMs);
    observer.started(job, Math.max(0, startedAtMs - job.dueAtMs));
    events.tell(started(job, startedAtMs));
    return runWithDeadline(
      (course) =>
        prepared.handler.run(prepared.snapshot as HandlerJob<never>, contextOf(job, course, forContext)),
      { clock, timeoutMs: limits.timeoutMs, graceMs },
      {
        ended: (ended) => watcher.decided(decisionOf(job, ended, limits, startedAtMs)),
        released(how) {
          if (how === 'ignored') {
            log.error(
              { job: job.id, type: job.type, graceMs },
              `the handler of ${job.type} goes on after its signal has aborted; its slot is given to another job. ` +
                'Hand context.signal to every call that takes one',
            );
          }
          watcher.released();
        },
      },
    );
  };
}

const over: Attempt = { abort() {}, cancel() {} };

function limitsOf(job: Job, handler: Handler | undefined, defaults: JobDefaults): Limits {
  return {
    maxAttempts: job.maxAttempts ?? handler?.maxAttempts ?? defaults.maxAttempts,
    timeoutMs: job.timeoutMs ?? handler?.timeoutMs ?? defaults.timeoutMs,
    backoff: handler?.backoff ?? defaults.backoff,
  };
}

/** Before anybody is told: the log, spans, the store and the dead letter all say the same. */
function withoutSecrets(outcome: Outcome, mask: AttemptOptions['mask']): Outcome {
  if (outcome.kind === 'succeeded' || mask === undefined) return outcome;
  return { ...outcome, failure: maskedFailure(outcome.failure, mask) };
}

type Prepared =
  | { readonly kind: 'ready'; readonly handler: Handler; readonly snapshot: HandlerJob }
  | Extract<Ending, { kind: 'cancelled' | 'expired' | 'thrown' }>;

/** The steps before the handler; the first that objects ends the attempt. */
function prepare(
  job: Job,
  handler: Handler | undefined,
  nowMs: number,
  causeToCancel: CancelCause | undefined,
): Prepared {
  if (causeToCancel === undefined && job.expiresAtMs !== undefined && nowMs > job.expiresAtMs) {
    return { kind: 'expired', expiresAtMs: job.expiresAtMs };
  }
  try {
    const payload = decodePayload(job.body);
    // After decoding: a cancelled job keeps its payload as JSON text, so one that has none is a dead letter all the same.
    if (causeToCancel !== undefined) return { kind: 'cancelled', by: causeToCancel };
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
  } catch {
    // Without its cause, which quotes the payload: this is logged.
    throw new Undecodable('the body is not JSON; send the payload as JSON text in UTF-8');
  }
}

function unknownType(type: string): SluiceError {
  return new SluiceError(
    'unknown_job_type',
    `this worker has no handler for the type ${JSON.stringify(type)}; load one with HANDLERS, or finish the deployment that brings it`,
  );
}

function logOutcome(log: Log, job: Job, outcome: Outcome, maxAttempts: number): void {
  if (outcome.kind === 'succeeded') return;
  const about = { ...logFieldsOf(job), maxAttempts };
  switch (outcome.kind) {
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
      log.debug({ ...about, failure: outcome.failure }, 'the job was cancelled');
      return;
  }
}
