/**
 * `Idempotency-Key`: of all requests with one key, one makes a job. A key is reserved in the store, with the id of its job, before
 * the publish, and marked done after it; in between a lease says that somebody is at it. Only requests with a key come here.
 */
import { hash } from 'node:crypto';
import { OutcomeUnknown, SluiceError } from '../job/errors.js';
import type { Job } from '../job/job.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { IdempotencyKeys, IdempotencyReservation } from '../store/store.js';
import { createJobId } from './job-id.js';
import { Rejection, rejectionOf } from './problem.js';

export interface KeyedRequest {
  /** Name of the API key, '' without one. */
  readonly owner: string;
  readonly key: string;
  /** What must be the same each time. */
  readonly bytes: Buffer;
  /** Makes the job: a new one, or the one that the first request made. @throws Rejection */
  make(first?: FirstJob): Job;
  /** @throws  what the broker throws */
  publish(job: Job): Promise<void>;
  /** The broker has the job; `isAgain`: its id was published before, with an unknown outcome. Also when the confirm came late. */
  accepted(job: Job, isAgain: true | undefined): void;
}

/** What a reservation keeps of its job: with the request's bytes, that is all of it. */
export interface FirstJob {
  readonly id: string;
  readonly dueAtMs: number;
}

export interface Once {
  readonly job: Job;
  /** An earlier request has made the job. */
  readonly isReplayed: boolean;
}

/**
 * Makes and publishes the job of a key, once.
 * @throws Rejection idempotency_conflict  the key was used with another body
 * @throws Rejection  of `make`, or whatever the broker threw, told in terms of the answer
 * @throws StoreUnavailable  nothing was published
 */
export type Idempotency = (request: KeyedRequest) => Promise<Once>;

export const idempotencyLeaseMs = 60_000;
/** Longer than a publish may take: whoever has the lease has ended well by then, or lost its broker or its process. */
const PATIENCE_MS = 15_000;
const POLL_MS = 200;
/** Requests that ask the store again and again, for keys of processes that may have died. */
const MOST_WAITING = 256;

export function createIdempotency(options: {
  readonly keys: IdempotencyKeys;
  /** How long a key is remembered, in ms. */
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Once true, nobody waits for another process any longer. */
  readonly isStopping: () => boolean;
}): Idempotency {
  const { keys, ttlMs, clock, log, isStopping } = options;
  /** What this process is at: a twin of one of these gets its outcome, without a question to the store. */
  const inFlight = new Map<string, { readonly bodyHash: string; readonly outcome: Promise<Once> }>();
  let waiting = 0;

  async function decide(request: KeyedRequest, bodyHash: string): Promise<Once> {
    const { owner, key } = request;
    const made = attempt(() => request.make());
    const untilMs = clock.now() + PATIENCE_MS;
    for (;;) {
      const nowMs = clock.now();
      const wanted = reservationOf(request, bodyHash, made, nowMs);
      const found = await keys.reserve(wanted, nowMs);
      if (found.kind === 'taken') {
        // Malformed, and so it was each time: a request whose `expiresAt` has passed since is found below.
        if (made instanceof Rejection) {
          await release(wanted);
          throw made;
        }
        await publish(request, made, wanted, undefined);
        return { job: made, isReplayed: false };
      }
      const { by } = found;
      if (by.bodyHash !== bodyHash) throw conflict();
      const first = (): Job => request.make({ id: by.jobId, dueAtMs: by.dueAtMs });
      if (by.isDone) return { job: first(), isReplayed: true };
      if (by.leaseUntilMs <= nowMs) {
        const lease = { ...by, leaseUntilMs: nowMs + idempotencyLeaseMs };
        const job = first();
        if (await keys.takeOver(owner, key, by.leaseUntilMs, lease.leaseUntilMs)) {
          await publish(request, job, lease, true);
          return { job, isReplayed: false };
        }
      } else {
        if (nowMs >= untilMs || waiting >= MOST_WAITING || isStopping()) throw stillUnknown(by, nowMs);
        waiting += 1;
        await sleep(clock, POLL_MS);
        waiting -= 1;
      }
    }
  }

  async function publish(
    request: KeyedRequest,
    job: Job,
    reservation: IdempotencyReservation,
    isAgain: true | undefined,
  ): Promise<void> {
    const done = async (): Promise<void> => {
      request.accepted(job, isAgain);
      await keys.done(reservation.owner, reservation.key).catch((error: unknown) => {
        log.warn({ err: error, job: job.id }, 'an Idempotency-Key could not be marked as done');
      });
    };
    try {
      await request.publish(job);
    } catch (error) {
      if (error instanceof OutcomeUnknown) void error.stored?.then(done);
      // Of a job that was published before, a refusal now says nothing.
      if (error instanceof OutcomeUnknown || isAgain) throw stillUnknown(reservation, clock.now(), error);
      // What we did not foresee may have happened after the publish: only a definite refusal gives the key back.
      if (error instanceof SluiceError) await release(reservation);
      throw rejectionOf(error);
    }
    await done();
  }

  /** Failing that, the lease runs out by itself. */
  function release({ owner, key, jobId }: IdempotencyReservation): Promise<void> {
    return keys.release(owner, key, jobId).catch((error: unknown) => {
      log.warn({ err: error, job: jobId }, 'an Idempotency-Key could not be given back');
    });
  }

  function reservationOf(
    { owner, key }: KeyedRequest,
    bodyHash: string,
    made: Job | Rejection,
    nowMs: number,
  ): IdempotencyReservation {
    const { jobId, dueAtMs } =
      made instanceof Rejection
        ? { jobId: createJobId(nowMs), dueAtMs: nowMs }
        : { jobId: made.id, dueAtMs: made.dueAtMs };
    const leaseUntilMs = nowMs + idempotencyLeaseMs;
    return { owner, key, jobId, dueAtMs, bodyHash, leaseUntilMs, expiresAtMs: nowMs + ttlMs };
  }

  return async (request) => {
    const place = `${request.owner} ${request.key}`;
    const bodyHash = hash('sha256', request.bytes, 'hex');
    const twin = inFlight.get(place);
    if (twin !== undefined) {
      if (twin.bodyHash !== bodyHash) throw conflict();
      return { job: (await twin.outcome).job, isReplayed: true };
    }
    const outcome = decide(request, bodyHash);
    inFlight.set(place, { bodyHash, outcome });
    try {
      return await outcome;
    } finally {
      inFlight.delete(place);
    }
  };
}

function attempt(make: () => Job): Job | Rejection {
  try {
    return make();
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
}

function conflict(): Rejection {
  return new Rejection(
    'idempotency_conflict',
    'this idempotency key was used with another body; take a new key for another job',
  );
}

function stillUnknown(
  { jobId, leaseUntilMs }: IdempotencyReservation,
  nowMs: number,
  cause?: unknown,
): Rejection {
  const seconds = Math.max(1, Math.ceil((leaseUntilMs - nowMs) / 1000));
  return new Rejection(
    'broker_unavailable',
    `outcome unknown: the broker has not confirmed the job of this idempotency key, so job ${jobId} may or may not be stored; ` +
      'send the same request again, it makes no second job',
    { cause, extra: { id: jobId }, headers: { 'Retry-After': String(seconds) } },
  );
}
