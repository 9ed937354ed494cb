/** Jobs one by one: submit, look, wait for the end, cancel, run again. */
import type {
  Accepted,
  CancelAnswer,
  JobAnswer,
  JobPage,
  JobSummary,
  ReplayAnswer,
} from '../api/contract.js';
import type { State } from '../job/state.js';
import { SluiceJobFailed } from './errors.js';
import { createKey } from './key.js';
import { MOST_PER_PAGE, type PageOptions, pagesOf } from './pages.js';
import type { CallOptions, Requests } from './requests.js';
import { untilEnded, type WaitOptions } from './waiting.js';

/** How a job is to be run; what is left out its handler says, or the server's settings. */
export interface JobOptions {
  /** One of the handlers' queues or of `QUEUES`. */
  readonly queue?: string | undefined;
  /** Default `normal`; `high` goes first, and `low` is never starved. */
  readonly priority?: 'high' | 'normal' | 'low' | undefined;
  /** Not before so many ms from now; up to 310 days. Excludes `runAt`. */
  readonly delayMs?: number | undefined;
  /** Not before this time; as text ISO 8601 with an offset. */
  readonly runAt?: string | Date | undefined;
  /** Not started after this time: then it goes to the dead letters instead. */
  readonly expiresAt?: string | Date | undefined;
  /** Attempts, the first included. */
  readonly maxAttempts?: number | undefined;
  /** Time limit of one attempt, in ms. */
  readonly timeoutMs?: number | undefined;
}

export interface SubmitOptions extends JobOptions, CallOptions {
  /**
   * Your own, so that asking twice makes one job, also after a restart: 1 to 255 visible ASCII characters. Else each call has a new one. Any
   * key needs the server's store: while it is away, the submit is refused and sent again.
   */
  readonly idempotencyKey?: string | undefined;
}

/** The server has the job: it is durable, and will run. */
export interface Submitted<Type extends string = string> extends Accepted {
  readonly type: Type;
}

/** A job by its id, or whatever carries it: what `submit` gave, or a row of `jobs`. */
export type JobRef = string | { readonly id: string; readonly run?: number };

type Seen<Type> = Omit<JobAnswer, 'type' | 'state' | 'result' | 'resultTruncated' | 'resultBytes'> & {
  readonly type: Type;
};

/** A job that has ended, by how it did. */
export type EndedJob<Result = unknown, Type extends string = string> = Seen<Type> &
  (
    | { readonly state: 'succeeded'; readonly result: Result; readonly resultTruncated?: never }
    /** The result was longer than the server keeps: the beginning of its JSON, and its whole size. */
    | {
        readonly state: 'succeeded';
        readonly result: string;
        readonly resultTruncated: true;
        readonly resultBytes: number;
      }
    | { readonly state: 'dead' | 'cancelled' | 'discarded' }
  );

/** A job as it stands. */
export type JobView<Result = unknown, Type extends string = string> =
  | EndedJob<Result, Type>
  | (Seen<Type> & { readonly state: 'scheduled' | 'queued' | 'active' | 'retrying' });

export interface JobFilter {
  readonly state?: State | undefined;
  readonly type?: string | undefined;
  readonly queue?: string | undefined;
}

export interface ReplayOptions extends CallOptions {
  /** Instead of the job's own. */
  readonly payload?: unknown;
}

/** As `Client` shows them with their types. */
export interface Jobs {
  submit(type: string, payload: unknown, options?: SubmitOptions): Promise<Accepted>;
  job(job: JobRef, options?: CallOptions): Promise<JobAnswer>;
  wait(job: JobRef, options?: WaitOptions): Promise<JobAnswer>;
  result(job: JobRef, options?: WaitOptions): Promise<unknown>;
  jobs(filter?: JobFilter, options?: CallOptions): AsyncGenerator<JobSummary, void, undefined>;
  jobPage(filter?: JobFilter, options?: PageOptions): Promise<JobPage>;
  cancel(job: JobRef, options?: CallOptions): Promise<CancelAnswer>;
  replay(job: JobRef, options?: ReplayOptions): Promise<ReplayAnswer>;
}

export function createJobs(requests: Requests): Jobs {
  const { ask } = requests;

  async function wait(job: JobRef, options?: WaitOptions): Promise<JobAnswer> {
    const run = typeof job === 'string' ? 1 : (job.run ?? 1);
    return (await untilEnded(requests, pathOfJob(job), run, options)).body as JobAnswer;
  }

  function jobPage(filter: JobFilter = {}, { limit, cursor, ...options }: PageOptions = {}) {
    const { state, type, queue } = filter;
    const query = { state, type, queue, limit, cursor };
    return ask<JobPage>({ ...options, method: 'GET', path: '/v1/jobs', query, repeat: 'always' });
  }

  return {
    wait,
    jobPage,
    async submit(type, payload, options = {}) {
      const { idempotencyKey = createKey(), signal, retry, ...rest } = options;
      return ask<Accepted>({
        method: 'POST',
        path: '/v1/jobs',
        body: { type: 'application/json', content: JSON.stringify({ type, ...rest, payload }) },
        headers: { 'idempotency-key': idempotencyKey },
        repeat: 'always',
        signal,
        retry,
      });
    },
    job: (job, options) =>
      ask<JobAnswer>({ ...options, method: 'GET', path: pathOfJob(job), repeat: 'always' }),
    async result(job, options) {
      const ended = await wait(job, options);
      if (ended.state !== 'succeeded' || ended.resultTruncated) throw new SluiceJobFailed(ended);
      return ended.result;
    },
    jobs: (filter, options) =>
      pagesOf(async (cursor) => {
        const { jobs, next } = await jobPage(filter, { ...options, limit: MOST_PER_PAGE, cursor });
        return { rows: jobs, next };
      }),
    cancel: (job, options) =>
      ask<CancelAnswer>({
        ...options,
        method: 'POST',
        path: `${pathOfJob(job)}/cancel`,
        repeat: 'always',
      }),
    async replay(job, { payload, ...options } = {}) {
      const content = payload === undefined ? undefined : JSON.stringify({ payload });
      return ask<ReplayAnswer>({
        ...options,
        method: 'POST',
        path: `${pathOfJob(job)}/replay`,
        ...(content !== undefined && { body: { type: 'application/json', content } }),
        repeat: 'if-refused',
      });
    },
  };
}

/** Where one job stands on the server. */
export function pathOfJob(job: JobRef): string {
  return `/v1/jobs/${encodeURIComponent(typeof job === 'string' ? job : job.id)}`;
}
