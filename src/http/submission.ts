/** From the bytes of one job request to a Job, or to a Rejection that says what to mend. Used by the single route and by batches. */
import type { ErrorObject } from 'ajv';
import type { Static } from 'typebox';
import { BatchItem, JobRequest, longestDelayMs } from '../api/contract.js';
import { acceptedAtMs, type Job, type Writable } from '../job/job.js';
import type { Clock } from '../runtime/clock.js';
import type { FirstJob } from './idempotency.js';
import { createJobId } from './job-id.js';
import { parseJson } from './json.js';
import { Rejection } from './problem.js';
import type { TraceContext } from './trace-context.js';
import { checkOf } from './wire-schema.js';

/** What ingestion asks of the handler registry. */
export interface JobTypes {
  /** The handler of a type: its queue is the job's unless the request names one. */
  get(type: string): { readonly queue: string } | undefined;
  hasQueue(name: string): boolean;
  readonly types: readonly string[];
  readonly queues: readonly string[];
  /** Undefined when the payload fits its handler's schema, else a sentence that names each fault with its JSON pointer. */
  checkPayload(type: string, payload: unknown): string | undefined;
}

/**
 * Reads one request body or batch item. With `first`, makes the job again that these bytes made when they came first.
 * @throws Rejection
 */
export type Submission = (bytes: Buffer, trace: TraceContext, first?: FirstJob) => Submitted;

export interface Submitted {
  readonly job: Job;
  /** Of an item; a single job has it in its header. */
  readonly idempotencyKey: string | undefined;
}

type ItemRequest = Static<typeof BatchItem>;

/** Fields of the contract whose feature is not here yet: said in so many words, never accepted and ignored. */
const laterFields = new Set(['orderingKey', 'callbackUrl']);
/** How many faults, or names of a closed set, one message lists. */
const MAX_LISTED = 10;

export function createSubmission(options: {
  readonly jobTypes: JobTypes;
  readonly clock: Clock;
  /** A whole request, or an item of a batch. */
  readonly form: 'single' | 'item';
}): Submission {
  const { jobTypes, clock } = options;
  const schema = options.form === 'single' ? JobRequest : BatchItem;
  const fits = checkOf<ItemRequest>(schema);
  const knownFields = new Set(Object.keys(schema.properties));

  return (bytes, trace, first) => {
    const { value, payload } = parseJson(bytes);
    refuseUnknownFields(value, knownFields);
    if (!fits(value)) throw new Rejection('invalid_job', faultsOf(fits.errors ?? []));
    const handler = jobTypes.get(value.type);
    if (!handler) throw unknownName('unknown_job_type', 'job type', value.type, jobTypes.types);
    const queue = value.queue ?? handler.queue;
    if (!jobTypes.hasQueue(queue)) throw unknownName('unknown_queue', 'queue', queue, jobTypes.queues);
    const misfit = jobTypes.checkPayload(value.type, value.payload);
    if (misfit !== undefined) throw new Rejection('invalid_payload', misfit);

    const nowMs = first === undefined ? clock.now() : acceptedAtMs(first);
    const dueAtMs = first === undefined ? dueTimeOf(value, nowMs) : first.dueAtMs;
    const job: Writable<Job> = {
      id: first === undefined ? createJobId(nowMs) : first.id,
      type: value.type,
      queue,
      lane: value.priority ?? 'normal',
      body: payload ?? Buffer.from(JSON.stringify(value.payload)),
      run: 1,
      attempt: 1,
      dueAtMs,
    };
    if (trace.traceparent !== undefined) job.traceparent = trace.traceparent;
    if (trace.tracestate !== undefined) job.tracestate = trace.tracestate;
    addLimits(job, value, nowMs);
    return { job, idempotencyKey: value.idempotencyKey };
  };
}

/** By hand and before the schema, because an object of 100,000 unknown keys would make as many errors of it. */
function refuseUnknownFields(value: unknown, knownFields: ReadonlySet<string>): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Rejection('invalid_job', 'a job must be a JSON object such as {"type":"echo","payload":{}}');
  }
  const faults: string[] = [];
  for (const field of Object.keys(value)) {
    if (knownFields.has(field)) continue;
    if (faults.push(faultOfField(field, knownFields)) === MAX_LISTED) break;
  }
  if (faults.length > 0) throw new Rejection('invalid_job', faults.join('; '));
}

function faultOfField(field: string, knownFields: ReadonlySet<string>): string {
  if (field === 'idempotencyKey')
    return "'idempotencyKey' is for items of a batch; send the header Idempotency-Key";
  if (laterFields.has(field)) return `'${field}' is not supported by this version, leave it out`;
  return `unknown field '${field.slice(0, 64)}', known are ${[...knownFields].join(', ')}`;
}

function faultsOf(errors: readonly ErrorObject[]): string {
  return errors
    .slice(0, MAX_LISTED)
    .map(({ instancePath, message, params }) => {
      const allowed =
        'allowedValues' in params ? `: ${(params['allowedValues'] as string[]).join(', ')}` : '';
      return `${instancePath === '' ? 'the job' : `'${instancePath.slice(1)}'`} ${message}${allowed}`;
    })
    .join('; ');
}

function unknownName(
  code: 'unknown_job_type' | 'unknown_queue',
  kind: string,
  name: string,
  known: readonly string[],
): Rejection {
  const listed = known.slice(0, MAX_LISTED).join(', ');
  const more = known.length > MAX_LISTED ? ` and ${known.length - MAX_LISTED} more` : '';
  return new Rejection(code, `there is no ${kind} '${name}'; known are ${listed}${more}`);
}

/** In ms since the epoch; a moment in the past means now. */
function dueTimeOf(request: JobRequest, nowMs: number): number {
  const { delayMs, runAt } = request;
  if (delayMs !== undefined && runAt !== undefined) {
    throw new Rejection('invalid_job', "give 'delayMs' or 'runAt', not both");
  }
  if (runAt === undefined) return nowMs + (delayMs ?? 0);
  const dueAtMs = Math.max(nowMs, momentOf('runAt', runAt));
  if (dueAtMs - nowMs > longestDelayMs) {
    throw new Rejection('invalid_job', `'runAt' is more than ${longestDelayMs / 86_400_000} days ahead`);
  }
  return dueAtMs;
}

/** The schema has checked the form; a leap second, or an offset without minutes, is still no date to JavaScript. */
function momentOf(field: string, text: string): number {
  const moment = Date.parse(text);
  if (Number.isNaN(moment)) {
    throw new Rejection('invalid_job', `'${field}' must be a date and time such as 2030-01-31T08:00:00Z`);
  }
  return moment;
}

/** A header is written for each of these, so what the request leaves out stays out. */
function addLimits(job: Writable<Job>, request: JobRequest, nowMs: number): void {
  const { maxAttempts, timeoutMs, expiresAt } = request;
  if (maxAttempts !== undefined) job.maxAttempts = maxAttempts;
  if (timeoutMs !== undefined) job.timeoutMs = timeoutMs;
  if (expiresAt === undefined) return;
  const expiresAtMs = momentOf('expiresAt', expiresAt);
  if (expiresAtMs <= nowMs) throw new Rejection('invalid_job', "'expiresAt' has passed already");
  if (expiresAtMs <= job.dueAtMs) {
    throw new Rejection('invalid_job', "'expiresAt' must be later than the time the job is due");
  }
  job.expiresAtMs = expiresAtMs;
}
