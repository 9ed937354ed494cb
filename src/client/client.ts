/** The typed client. This file and its re-exports are the package's `sluice/client`, for servers and browsers alike: `fetch` is all it needs. */
import type { AnyJobs, JobsOf } from './job-types.js';
import { type ConnectionOptions, createRequests } from './requests.js';
import { type Client, clientOver } from './surface.js';

export type { AuditReport } from '../api/audit.js';
export type { ErrorCode, JobAnswer, JobPage, JobSummary, Problem } from '../api/contract.js';
export type { DeadLetterFilter, DeadLetterGroup, DeadLetterPage, RedriveView } from '../api/dead-letters.js';
export type { QueueView } from '../api/queues.js';
export type { BatchItem, BatchOptions, BatchResult } from './batch.js';
export type { DeadLetters } from './dead-letters.js';
export { SluiceConnectionError, SluiceHttpError, SluiceJobFailed, SluiceWaitTimeout } from './errors.js';
export type { AnyJobs, JobShape, JobsOf } from './job-types.js';
export type { EndedJob, JobFilter, JobRef, JobView, SubmitOptions, Submitted } from './jobs.js';
export type { Queues } from './queues.js';
export type { CallOptions, ConnectionOptions } from './requests.js';
export type { RetryPolicy } from './retry.js';
export type { BatchItemOf, Client } from './surface.js';
export type { WaitOptions } from './waiting.js';

/**
 * A client of the server at `url`. `Known` says which jobs there are (see `JobsOf`): `createClient<typeof handlers>({ url })` or
 * `createClient<typeof import('./my-handlers.js')>({ url })`; without it any type takes any payload.
 * @throws TypeError  the address or the key cannot be used
 */
export function createClient<Known = AnyJobs>(options: ConnectionOptions): Client<JobsOf<Known>> {
  return clientOver(createRequests(options)) as Client<JobsOf<Known>>;
}
