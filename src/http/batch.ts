/** `POST /v1/jobs/batch`: a JSON array, checked as a whole before anything is published, or NDJSON, published while it streams in. */
import type { IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Broker } from '../broker/broker.js';
import { OutcomeUnknown, Refused } from '../job/errors.js';
import type { Job } from '../job/job.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import { answer, answerProblem } from './answer.js';
import { askForBody, type Bodies, declaredLength, requireMediaType, tooLarge } from './body.js';
import type { Answering, HttpContext, HttpObserver } from './context.js';
import type { Idempotency } from './idempotency.js';
import { itemsOf } from './json-array.js';
import { linesOf } from './ndjson.js';
import { ClientGone, Rejection, rejectionOf, rejectionOfPublish } from './problem.js';
import { type RequestSpan, shown } from './spans.js';
import type { Submission } from './submission.js';
import { createTally, type Tally } from './tally.js';
import { type TraceContext, traceContextOf } from './trace-context.js';
import type { Window } from './window.js';

export interface BatchOptions {
  readonly broker: Pick<Broker, 'publish'>;
  readonly submission: Submission;
  readonly bodies: Bodies;
  readonly observer: HttpObserver;
  readonly window: Window;
  readonly clock: Clock;
  readonly log: Log;
  /** Of one item or line. */
  readonly maxBodyBytes: number;
  readonly maxBatchBytes: number;
  readonly maxBatchJobs: number;
  /** The longest silence within an NDJSON stream. */
  readonly idleMs: number;
  /** Once true, a stream is answered for what it has brought so far. */
  readonly isStopping: () => boolean;
  /** Without it, items with a key are refused. */
  readonly idempotency: Idempotency | undefined;
}

const jsonArray = 'application/json';
const ndjson = 'application/x-ndjson';
/** Items are read in portions of this size, so that a large array does not hold up other requests. */
const PORTION_BYTES = 64 * 1024;
/** What is published leaves at the end of a turn: the broker is to work on the first items while the others are on their way. */
const PUBLISHED_PER_TURN = 32;
/** How often an item waits for room in the broker's window before it is refused as overloaded. */
const MAX_PATIENCE = 20;

export function createBatchRoute(options: BatchOptions): Answering {
  const { bodies, log, observer, submission, window, maxBodyBytes, maxBatchBytes, maxBatchJobs } = options;

  return async (context) => {
    const { req } = context;
    if (req.headers['idempotency-key'] !== undefined) {
      const detail = "a batch takes no Idempotency-Key: give each item its own 'idempotencyKey'";
      throw new Rejection('invalid_request', detail);
    }
    const form = requireMediaType(req, [jsonArray, ndjson]);
    const tally = createTally();
    if (form === jsonArray) await submitArray(context, tally);
    else await submitLines(context, tally);
    respond(context, tally);
  };

  async function submitArray(context: HttpContext, tally: Tally): Promise<void> {
    const { req, res } = context;
    const bytes = await bodies.read(req, res, maxBatchBytes);
    try {
      const source = sourceOf(context);
      const checked = await checkItems(bytes, source);
      const publishing: Promise<void>[] = [];
      for (const item of checked) {
        const index = tally.open();
        if (item instanceof Rejection) refuse(tally, index, item);
        else {
          await window.enter(item.job.body.length);
          publishing.push(publishItem(tally, index, item));
          if (publishing.length % PUBLISHED_PER_TURN === 0) await nextTurn();
        }
      }
      await Promise.all(publishing);
    } finally {
      bodies.release(bytes);
    }
  }

  /** @throws Rejection  the array as a whole is not JSON, or too long: then nothing of it is accepted */
  async function checkItems(bytes: Buffer, source: Source): Promise<(Item | Rejection)[]> {
    const checked: (Item | Rejection)[] = [];
    let portion = 0;
    for (const item of itemsOf(bytes)) {
      if (checked.length === maxBatchJobs) throw tooMany();
      const result = check(item, source);
      if (result instanceof Rejection && result.code === 'malformed_json') {
        throw new Rejection(
          'malformed_json',
          `item ${checked.length}: ${result.message}; nothing was accepted`,
        );
      }
      checked.push(result);
      portion += item.length;
      if (portion >= PORTION_BYTES) {
        portion = 0;
        await nextTurn();
      }
    }
    return checked;
  }

  async function submitLines(context: HttpContext, tally: Tally): Promise<void> {
    const { req, res } = context;
    const publishing: Promise<void>[] = [];
    try {
      const declared = declaredLength(req);
      if (declared !== undefined && declared > maxBatchBytes) throw tooLarge(maxBatchBytes);
      askForBody(req, res);
      await publishLines(req, sourceOf(context), tally, publishing);
    } catch (error) {
      // The stream was cut off. What it brought before stays accepted, so the answer must be the books.
      if (error instanceof ClientGone || tally.count === 0) throw error;
      const reason = rejectionOf(error);
      const detail = `${reason.message}; nothing from here on was read`;
      refuse(tally, tally.open(), new Rejection(reason.code, detail, { cause: error }));
      if (reason.code === 'request_timeout') res.setHeader('Connection', 'close');
      if (reason.code === 'internal_error') log.error({ err: error }, 'a batch has failed unexpectedly');
    } finally {
      await Promise.all(publishing);
    }
  }

  async function publishLines(
    req: IncomingMessage,
    source: Source,
    tally: Tally,
    publishing: Promise<void>[],
  ): Promise<void> {
    const { idleMs, clock } = options;
    for await (const lines of linesOf(req, {
      maxLineBytes: maxBodyBytes,
      maxBytes: maxBatchBytes,
      idleMs,
      clock,
    })) {
      for (const line of lines) {
        if (options.isStopping()) throw new Rejection('shutting_down', 'this server is shutting down');
        if (tally.count === maxBatchJobs) throw tooMany();
        const index = tally.open();
        const item = check(line, source);
        if (item instanceof Rejection) refuse(tally, index, item);
        else {
          await window.enter(item.job.body.length);
          publishing.push(publishItem(tally, index, item));
        }
      }
    }
  }

  function check(bytes: Buffer | 'too-long', source: Source): Item | Rejection {
    if (bytes === 'too-long' || bytes.length > maxBodyBytes) {
      return new Rejection('payload_too_large', `an item may hold at most ${maxBodyBytes} bytes`);
    }
    try {
      const { job, idempotencyKey } = submission(bytes, source.trace);
      if (idempotencyKey === undefined) return { job, source, keyed: undefined };
      return { job, source, keyed: { key: idempotencyKey, bytes } };
    } catch (error) {
      if (error instanceof Rejection) return error;
      throw error;
    }
  }

  /** Has a place in the window; never rejects. */
  async function publishItem(tally: Tally, index: number, item: Item): Promise<void> {
    const { source, keyed } = item;
    const span = keyed === undefined ? source.span?.publish(item.job, true) : undefined;
    const job = span?.job ?? item.job;
    try {
      if (keyed === undefined) {
        await shown(span, publishPatiently(job));
        tally.accept(index, job.id);
        observer.accepted(job);
      } else {
        tally.accept(index, await publishOnce(job, source, keyed));
      }
    } catch (error) {
      if (error instanceof OutcomeUnknown) void error.stored?.then(() => observer.accepted(job));
      const rejection = rejectionOfPublish(error, job.id);
      if (rejection.code === 'internal_error')
        log.error({ err: error, job: job.id }, 'a publish has failed unexpectedly');
      refuse(tally, index, rejection);
    } finally {
      window.leave(job.body.length);
    }
  }

  /** A full broker is waited for, since a batch is in no hurry for its answer. */
  async function publishPatiently(job: Job): Promise<void> {
    const { broker, clock, isStopping } = options;
    for (let patience = MAX_PATIENCE; ; patience--) {
      try {
        await broker.publish(job);
        return;
      } catch (error) {
        const isFull = error instanceof Refused && error.code === 'overloaded';
        if (!isFull || patience === 0 || isStopping()) throw error;
        await sleep(clock, error.retryAfterMs);
      }
    }
  }

  /** The id of the job that this or an earlier request with the key has made. */
  async function publishOnce(checked: Job, source: Source, { key, bytes }: Keyed): Promise<string> {
    const { idempotency } = options;
    let sent: Job | undefined;
    if (idempotency === undefined)
      throw new Rejection('invalid_job', "'idempotencyKey' is not supported here, leave it out");
    const { job } = await idempotency({
      owner: source.owner,
      key,
      bytes,
      make: (first) => (first === undefined ? checked : submission(bytes, source.trace, first).job),
      publish(made) {
        const span = source.span?.publish(made, true);
        sent = span?.job ?? made;
        return shown(span, publishPatiently(sent));
      },
      accepted: (made, isAgain) => observer.accepted(sent ?? made, isAgain),
    });
    return job.id;
  }

  function refuse(tally: Tally, index: number, rejection: Rejection): void {
    tally.refuse(index, rejection);
    observer.refused(rejection.code);
  }

  function tooMany(): Rejection {
    return new Rejection('payload_too_large', `a batch may hold at most ${maxBatchJobs} jobs`);
  }
}

/** What all items of a request share. */
interface Source {
  readonly trace: TraceContext;
  /** Name of the API key. */
  readonly owner: string;
  readonly span: RequestSpan | undefined;
}

interface Item {
  readonly job: Job;
  readonly source: Source;
  readonly keyed: Keyed | undefined;
}

interface Keyed {
  readonly key: string;
  readonly bytes: Buffer;
}

function sourceOf({ req, state }: HttpContext): Source {
  return { trace: traceContextOf(req.headers), owner: state.key?.name ?? '', span: state.span };
}

function respond(context: HttpContext, tally: Tally): void {
  const refusal = tally.refusal();
  if (refusal === undefined) answer(context, 202, JSON.stringify(tally.answer()));
  else answerProblem(context, refusal);
}
