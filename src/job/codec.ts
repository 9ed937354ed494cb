/**
 * The message format (contract, version 1): the body is the payload alone, so that a consumer in any language can read
 * it; the rest of the job is in properties and headers. A header is written only where it differs from its default,
 * because a header table is the dearest part of a publish.
 */
import { Undecodable } from './errors.js';
import { greatestAttempt, greatestRun } from './fold.js';
import { acceptedAtMs, isJobId, type Job, jobTypePattern, type Lane, lastMs, type Writable } from './job.js';
import type { Death } from './outcome.js';

/** A message as any AMQP client sees it, without a type of any client library. */
export interface Envelope {
  readonly messageId: unknown;
  readonly type: unknown;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

type Headers = Record<string, string | number>;

const FORMAT_VERSION = 1;
const typePattern = new RegExp(jobTypePattern);

/** The headers of a job, or undefined when every one has its default. */
export function encodeHeaders(job: Job): Headers | undefined {
  const headers: Headers = {};
  if (job.run !== 1) headers['sluice-run'] = job.run;
  if (job.attempt !== 1) headers['sluice-attempt'] = job.attempt;
  if (job.dueAtMs !== acceptedAtMs(job)) headers['sluice-due-ms'] = job.dueAtMs;
  if (job.maxAttempts !== undefined) headers['sluice-max-attempts'] = job.maxAttempts;
  if (job.timeoutMs !== undefined) headers['sluice-timeout-ms'] = job.timeoutMs;
  if (job.expiresAtMs !== undefined) headers['sluice-expires-ms'] = job.expiresAtMs;
  if (job.traceparent !== undefined) headers['traceparent'] = job.traceparent;
  if (job.tracestate !== undefined) headers['tracestate'] = job.tracestate;
  for (const _ in headers) return headers;
  return undefined;
}

/** The headers a dead letter carries besides the job's own: why it died, and when. */
export function encodeDeath(death: Death): Headers {
  return {
    'sluice-dead-reason': death.reason,
    'sluice-dead-at-ms': death.atMs,
    'sluice-dead-error': JSON.stringify(death.failure),
    ...(death.startedAtMs !== undefined && { 'sluice-dead-started-ms': death.startedAtMs }),
  };
}

/**
 * The job in a message. Where it was queued is not in the message: the caller knows it from the queue it read.
 * @throws Undecodable  naming the property at fault
 */
export function decode(envelope: Envelope, queue: string, lane: Lane): Job {
  const { messageId: id, type, headers } = envelope;
  if (!isJobId(id)) {
    throw new Undecodable('message_id must be a UUID of version 7');
  }
  if (typeof type !== 'string' || !typePattern.test(type))
    throw new Undecodable(`type must match ${jobTypePattern}`);
  const version = wholeNumber(headers, 'sluice-version', 1) ?? FORMAT_VERSION;
  if (version !== FORMAT_VERSION) {
    throw new Undecodable(
      `sluice-version ${version} is not known here; this release reads version ${FORMAT_VERSION}`,
    );
  }
  const job: Writable<Job> = {
    id: id.toLowerCase(), // One name for one job: other clients may write it otherwise.
    type,
    queue,
    lane,
    body: envelope.body,
    run: wholeNumber(headers, 'sluice-run', 1, greatestRun) ?? 1,
    attempt: wholeNumber(headers, 'sluice-attempt', 1, greatestAttempt) ?? 1,
    dueAtMs: wholeNumber(headers, 'sluice-due-ms', 0, lastMs) ?? acceptedAtMs({ id }),
  };
  for (const _ in headers) {
    addOptions(job, headers);
    break;
  }
  return job;
}

/** To the job itself: a copy that has more fields than its origin is slow to make, and slow to read (src/DECISIONS.md). */
function addOptions(job: Writable<Job>, headers: Envelope['headers']): void {
  const maxAttempts = wholeNumber(headers, 'sluice-max-attempts', 1);
  const timeoutMs = wholeNumber(headers, 'sluice-timeout-ms', 1);
  const expiresAtMs = wholeNumber(headers, 'sluice-expires-ms', 0, lastMs);
  const traceparent = text(headers, 'traceparent');
  const tracestate = text(headers, 'tracestate');
  if (maxAttempts !== undefined) job.maxAttempts = maxAttempts;
  if (timeoutMs !== undefined) job.timeoutMs = timeoutMs;
  if (expiresAtMs !== undefined) job.expiresAtMs = expiresAtMs;
  if (traceparent !== undefined) job.traceparent = traceparent;
  if (tracestate !== undefined) job.tracestate = tracestate;
}

function wholeNumber(
  headers: Envelope['headers'],
  name: string,
  least: number,
  greatest = Number.MAX_SAFE_INTEGER,
): number | undefined {
  const value = headers[name];
  if (value === undefined || value === null) return undefined;
  if (!Number.isSafeInteger(value) || Number(value) < least || Number(value) > greatest) {
    throw new Undecodable(`header ${name} must be a whole number from ${least} to ${greatest}`);
  }
  return Number(value);
}

function text(headers: Envelope['headers'], name: string): string | undefined {
  const value = headers[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new Undecodable(`header ${name} must be a string`);
  return value;
}

/** Headers that the broker adds on its way; a message republished with them can be dropped by it as a cycle. */
const brokerHeaders = /^x-(death$|first-death-|last-death-|delivery-count$|acquired-count$)/;

/** The headers of a message that is passed on as it is, because it could not be decoded. */
export function withoutBrokerHeaders(headers: Envelope['headers']): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !brokerHeaders.test(name)));
}
