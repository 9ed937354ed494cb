/** `POST /v1/jobs`, the hot route: one job in, `202` out after the broker has confirmed it. */
import { type Accepted, idempotencyKeyPattern } from '../api/contract.js';
import type { Broker } from '../broker/broker.js';
import { OutcomeUnknown } from '../job/errors.js';
import { isoTime } from '../job/iso-time.js';
import { acceptedAtMs, type Job } from '../job/job.js';
import { answer } from './answer.js';
import { type Bodies, requireMediaType } from './body.js';
import type { Answering, HttpContext, HttpObserver } from './context.js';
import type { Idempotency } from './idempotency.js';
import { Rejection, rejectionOfPublish } from './problem.js';
import { type PublishSpan, shown } from './spans.js';
import type { Submission } from './submission.js';
import { traceContextOf } from './trace-context.js';

export interface JobsOptions {
  readonly broker: Pick<Broker, 'publish' | 'durability'>;
  readonly submission: Submission;
  readonly bodies: Bodies;
  readonly observer: HttpObserver;
  readonly maxBodyBytes: number;
  /** Without it, requests with a key are refused. */
  readonly idempotency: Idempotency | undefined;
}

const json = ['application/json'];

export function createJobsRoute(options: JobsOptions): Answering {
  const { broker, submission, bodies, observer, maxBodyBytes } = options;
  return async (context: HttpContext): Promise<void> => {
    const { req, res } = context;
    const key = req.headers['idempotency-key'];
    const once = key === undefined ? undefined : idempotencyFor(key);
    requireMediaType(req, json);
    const bytes = await bodies.read(req, res, maxBodyBytes);
    try {
      if (once !== undefined) return await once(context, bytes);
      const submitted = submission(bytes, traceContextOf(req.headers)).job;
      const span = context.state.span?.publish(submitted, false);
      const job = span?.job ?? submitted;
      await publish(broker, job, observer, span);
      observer.accepted(job);
      answer(context, 202, acceptedJson(job, broker.durability), { Location: `/v1/jobs/${job.id}` });
    } finally {
      bodies.release(bytes);
    }
  };

  /** @throws Rejection  the key is malformed, or there is nowhere to keep it */
  function idempotencyFor(header: string | string[]): (context: HttpContext, bytes: Buffer) => Promise<void> {
    const { idempotency } = options;
    if (idempotency === undefined)
      throw new Rejection('invalid_request', 'Idempotency-Key is not supported here, leave it out');
    const key = keyOf(header);
    return async (context, bytes) => {
      const trace = traceContextOf(context.req.headers);
      let sent: Job | undefined;
      const { job, isReplayed } = await idempotency({
        owner: context.state.key?.name ?? '',
        key,
        bytes,
        make: (first) => submission(bytes, trace, first).job,
        publish(made) {
          const span = context.state.span?.publish(made, false);
          sent = span?.job ?? made;
          return shown(span, broker.publish(sent));
        },
        accepted: (made, isAgain) => observer.accepted(sent ?? made, isAgain),
      });
      const headers = { Location: `/v1/jobs/${job.id}`, 'Idempotency-Replayed': String(isReplayed) };
      answer(context, 202, acceptedJson(job, broker.durability), headers);
    };
  }
}

/**
 * Tells `accepted` of a confirm that comes after the answer.
 * @throws Rejection  whatever the broker threw, told in terms of the answer
 */
export async function publish(
  broker: Pick<Broker, 'publish'>,
  job: Job,
  observer: Pick<HttpObserver, 'accepted'>,
  span: PublishSpan | undefined,
): Promise<void> {
  try {
    await shown(span, broker.publish(job));
  } catch (error) {
    if (error instanceof OutcomeUnknown) void error.stored?.then(() => observer.accepted(job));
    throw rejectionOfPublish(error, job.id);
  }
}

const keyPattern = new RegExp(idempotencyKeyPattern);

function keyOf(header: string | string[]): string {
  if (typeof header === 'string' && keyPattern.test(header)) return header;
  throw new Rejection('invalid_request', 'Idempotency-Key must be 1 to 255 visible ASCII characters');
}

/** `Accepted` by hand: ids, types and queue names match patterns without anything that needs escaping. */
function acceptedJson(job: Job, durability: Accepted['durability']): string {
  const atMs = acceptedAtMs(job);
  const state: Accepted['state'] = job.dueAtMs > atMs ? 'scheduled' : 'queued';
  const self = `/v1/jobs/${job.id}`;
  return (
    `{"id":"${job.id}","type":"${job.type}","queue":"${job.queue}","state":"${state}",` +
    `"acceptedAt":"${isoTime(atMs)}","durability":"${durability}",` +
    `"links":{"self":"${self}","cancel":"${self}/cancel"}}`
  );
}
