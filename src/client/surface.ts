/** All calls of a client, with the types of its jobs, put together over one way to send requests. */
import type { AuditReport } from '../api/audit.js';
import type { CancelAnswer, JobPage, JobSummary, ReplayAnswer } from '../api/contract.js';
import { type BatchItem, type BatchOptions, type BatchResult, submitBatch } from './batch.js';
import { createDeadLetters, type DeadLetters } from './dead-letters.js';
import type { AnyJobs, PayloadOf, ResultOf, TypeIn } from './job-types.js';
import {
  createJobs,
  type EndedJob,
  type JobFilter,
  type JobRef,
  type JobView,
  type ReplayOptions,
  type SubmitOptions,
  type Submitted,
} from './jobs.js';
import type { PageOptions } from './pages.js';
import { createQueues, type Queues } from './queues.js';
import type { CallOptions, Requests } from './requests.js';
import type { WaitOptions } from './waiting.js';

/**
 * All methods throw `SluiceHttpError` where the server refuses and `SluiceConnectionError` where it does not answer, once a request was
 * sent again as often as the retry policy says. After a 429, a 503 or a lost answer it is sent again: submits always, because each carries an
 * idempotency key; orders that must not be given twice only when the server has said that it did nothing.
 */
export interface Client<Jobs = AnyJobs> {
  /** One job; resolves once it is durable. Never makes a second one, however often it has to be sent. */
  submit<Type extends TypeIn<Jobs>>(
    type: Type,
    payload: PayloadOf<Jobs, Type>,
    options?: SubmitOptions,
  ): Promise<Submitted<Type>>;
  /**
   * Many jobs, in requests of bounded size: memory stays flat however many there are. Nothing is sent before the results are taken:
   * `for await (const { index, id, error } of client.submitBatch(items))`. One result per item, in their order; a refused item does not stop
   * the others. Throws when a request as a whole cannot be had; what has no result then may or may not be accepted.
   */
  submitBatch(
    items: Iterable<BatchItemOf<Jobs>> | AsyncIterable<BatchItemOf<Jobs>>,
    options?: BatchOptions,
  ): AsyncGenerator<BatchResult, void, undefined>;
  /** What became of a job. */
  job<Type extends TypeIn<Jobs>>(
    job: { readonly id: string; readonly type: Type },
    options?: CallOptions,
  ): Promise<JobView<ResultOf<Jobs, Type>, Type>>;
  job(job: JobRef, options?: CallOptions): Promise<JobView>;
  /** The job once it has ended, whether well or not. @throws SluiceWaitTimeout */
  wait<Type extends TypeIn<Jobs>>(
    job: { readonly id: string; readonly type: Type },
    options?: WaitOptions,
  ): Promise<EndedJob<ResultOf<Jobs, Type>, Type>>;
  wait(job: JobRef, options?: WaitOptions): Promise<EndedJob>;
  /** What the handler returned, once it has. @throws SluiceJobFailed @throws SluiceWaitTimeout */
  result<Type extends TypeIn<Jobs>>(
    job: { readonly id: string; readonly type: Type },
    options?: WaitOptions,
  ): Promise<ResultOf<Jobs, Type>>;
  result(job: JobRef, options?: WaitOptions): Promise<unknown>;
  /** All jobs that match, the newest first, page by page as they are taken. */
  jobs(filter?: JobFilter, options?: CallOptions): AsyncGenerator<JobSummary, void, undefined>;
  jobPage(filter?: JobFilter, options?: PageOptions): Promise<JobPage>;
  /** Holds from now on: the job must not start, and one that runs is told by its signal. It is `cancelled` when its worker says so. */
  cancel(job: JobRef, options?: CallOptions): Promise<CancelAnswer>;
  /** A dead or cancelled job begins its next run, due now. Sent again only when it was refused. */
  replay(job: JobRef, options?: ReplayOptions): Promise<ReplayAnswer>;
  readonly queues: Queues;
  readonly deadLetters: DeadLetters;
  /** Whether every job that was accepted can be accounted for. */
  audit(options?: CallOptions): Promise<AuditReport>;
}

/** An item whose payload is that of its type. */
export type BatchItemOf<Jobs> = {
  [Type in TypeIn<Jobs>]: BatchItem<Type, PayloadOf<Jobs, Type>>;
}[TypeIn<Jobs>];

export function clientOver(requests: Requests): Client {
  return {
    ...createJobs(requests),
    submitBatch: (items, options) => submitBatch(requests, items, options),
    queues: createQueues(requests),
    deadLetters: createDeadLetters(requests),
    audit: (options) => requests.ask({ ...options, method: 'GET', path: '/v1/audit', repeat: 'always' }),
  } as Client;
}
