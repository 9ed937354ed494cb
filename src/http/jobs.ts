/** `POST /v1/jobs`, the hot route: one job in, `202` out after the broker has confirmed it. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Accepted } from '../api/contract.js';
import type { Broker } from '../broker/broker.js';
import { acceptedAtMs, type Job } from '../job/job.js';
import { answer } from './answer.js';
import { type Bodies, requireMediaType } from './body.js';
import type { Answering, HttpContext, HttpObserver } from './context.js';
import { Rejection, rejectionOfPublish } from './problem.js';
import type { Submission } from './submission.js';
import { traceContextOf } from './trace-context.js';

export interface JobsOptions {
  readonly broker: Pick<Broker, 'publish' | 'durability'>;
  readonly submission: Submission;
  readonly bodies: Bodies;
  readonly observer: HttpObserver;
  readonly maxBodyBytes: number;
}

const json = ['application/json'];

export function createJobsRoute(options: JobsOptions): Answering {
  const { broker, submission, bodies, observer, maxBodyBytes } = options;
  return async (context: HttpContext): Promise<void> => {
    const { req, res } = context;
    refuseIdempotencyKey(req.headers);
    requireMediaType(req, json);
    const bytes = await bodies.read(req, res, maxBodyBytes);
    try {
      const job = submission(bytes, traceContextOf(req.headers));
      await publish(broker, job);
      observer.accepted(job);
      answer(context, 202, acceptedJson(job, broker.durability), { Location: `/v1/jobs/${job.id}` });
    } finally {
      bodies.release(bytes);
    }
  };
}

/** @throws Rejection  whatever the broker threw, told in terms of the answer */
export async function publish(broker: Pick<Broker, 'publish'>, job: Job): Promise<void> {
  try {
    await broker.publish(job);
  } catch (error) {
    throw rejectionOfPublish(error, job.id);
  }
}

/** Its feature is not here yet, and ignoring it would run jobs twice that were meant to run once. */
export function refuseIdempotencyKey(headers: IncomingHttpHeaders): void {
  if (headers['idempotency-key'] === undefined) return;
  throw new Rejection(
    'invalid_job',
    'the header Idempotency-Key is not supported by this version, leave it out',
  );
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

let lastMs = Number.NaN;
let lastIso = '';

/** Jobs of a burst share their millisecond; writing a date costs half a microsecond. */
function isoTime(atMs: number): string {
  if (atMs !== lastMs) {
    lastIso = new Date(atMs).toISOString();
    lastMs = atMs;
  }
  return lastIso;
}
