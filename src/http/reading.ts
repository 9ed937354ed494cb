/** `GET /v1/jobs/:id` and `GET /v1/jobs`: what became of jobs. */
import type { JobPage } from '../api/contract.js';
import { JobQuery, JobsQuery, listed, longestWaitS, mostListed } from '../api/queries.js';
import { Invalid, StoreUnavailable } from '../job/errors.js';
import { acceptedAtMs, isJobId, jobTypePattern, queueNamePattern } from '../job/job.js';
import { hasEnded, type State, states } from '../job/state.js';
import type { Clock } from '../runtime/clock.js';
import type { JobFilter, JobReader, Registers } from '../store/store.js';
import { answer } from './answer.js';
import type { Answering, HttpContext } from './context.js';
import { jobJson, type KnownJob, listedOf, rowOfRecent } from './job-view.js';
import { ClientGone, Rejection } from './problem.js';
import type { Recent } from './recent.js';
import type { Waiting } from './waiting.js';

/** What these routes ask of a store. */
export interface ReadStore {
  readonly jobs: Pick<JobReader, 'get' | 'list'>;
  readonly registers: Pick<Registers, 'cancelRequestedAt'>;
}

export interface ReadingOptions {
  readonly store: ReadStore;
  readonly recent: Recent;
  readonly waiting: Waiting;
  readonly clock: Clock;
}

/** So long after its acceptance the news of a job may still be on its way. */
const FRESH_MS = 600_000;
/** Clocks of machines differ by this much at most, or their owner has other troubles. */
const AHEAD_MS = 60_000;

/** The id in the path. @throws Rejection not_found  it cannot be one */
export function idOf(context: HttpContext): string {
  const id = String((context as { params?: Record<string, string> }).params?.['id']).toLowerCase();
  if (isJobId(id)) return id;
  throw new Rejection('not_found', 'there is no such job: ids of jobs are UUIDs of version 7');
}

/** A job that nobody knows here; of a fresh one the news may be on its way. */
export function unknownJob(id: string, nowMs: number): Rejection {
  const ageMs = nowMs - acceptedAtMs({ id });
  const isFresh = ageMs < FRESH_MS && ageMs > -AHEAD_MS;
  const detail = isFresh
    ? 'there is no such job, or it is not recorded yet: try again'
    : 'there is no such job, or it was finished and forgotten';
  return new Rejection('not_found', detail, isFresh ? { headers: { 'Retry-After': '1' } } : {});
}

export function createJobRoute({ store, recent, waiting, clock }: ReadingOptions): Answering {
  return async (context) => {
    const id = idOf(context);
    const waitMs = waitOf(parametersOf(context, JobQuery));
    let known = await lookUp(id);
    if (waitMs > 0 && !hasEnded(known.row.state)) {
      // Who left during the look-up has been closed already: that comes once.
      if (context.res.destroyed) throw new ClientGone();
      const gone = new AbortController();
      context.res.once('close', () => gone.abort());
      await waiting.untilEnd(id, known.row.run, waitMs, gone.signal);
      if (gone.signal.aborted) throw new ClientGone();
      known = await lookUp(id);
    }
    const asked = hasEnded(known.row.state) ? undefined : await cancelRequestedAt(id, known);
    answer(context, 200, jobJson(known, clock.now(), asked));
  };

  /** The store's row, unless this process has begun a later run, or the store does not know it or is away. */
  async function lookUp(id: string): Promise<KnownJob> {
    const begun = recent.get(id);
    try {
      const found = await store.jobs.get(id);
      if (found !== undefined && found.row.run >= (begun?.run ?? 0)) return { ...found, isRecorded: true };
      if (begun !== undefined) {
        const { attempts = [], payload } = found ?? {};
        return { row: rowOfRecent(begun), attempts, payload, isRecorded: false };
      }
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || begun === undefined) throw error;
      return { row: rowOfRecent(begun), attempts: [], payload: undefined, isRecorded: false };
    }
    throw unknownJob(id, clock.now());
  }

  async function cancelRequestedAt(id: string, { row, isRecorded }: KnownJob): Promise<number | undefined> {
    try {
      return await store.registers.cancelRequestedAt(id, row.run);
    } catch (error) {
      if (error instanceof StoreUnavailable && !isRecorded) return undefined;
      throw error;
    }
  }
}

export function createListRoute({ store, clock }: ReadingOptions): Answering {
  return async (context) => {
    const parameters = parametersOf(context, JobsQuery);
    const nowMs = clock.now();
    const cursor = parameters.get('cursor');
    const page = { limit: limitOf(parameters), nowMs, ...(cursor === undefined ? {} : { cursor }) };
    const { rows, next } = await store.jobs.list(filterOf(parameters), page).catch((error: unknown) => {
      if (error instanceof Invalid) throw new Rejection('invalid_request', error.message, { cause: error });
      throw error;
    });
    const body: JobPage = { jobs: rows.map((row) => listedOf(row, nowMs)), next: next ?? null };
    answer(context, 200, JSON.stringify(body));
  };
}

const takesNone = { properties: {} };

export type Query = ReadonlyMap<string, string>;

/**
 * @param query  the schema that names them; without it the route takes none
 * @throws Rejection invalid_request  an unknown parameter, one given twice, or an empty one
 */
export function parametersOf(
  context: HttpContext,
  query: { readonly properties: object } = takesNone,
): Query {
  const parameters = new Map<string, string>();
  if (context.querystring === '') return parameters;
  const known = Object.keys(query.properties);
  for (const [name, value] of new URLSearchParams(context.querystring)) {
    if (!known.includes(name)) {
      const listed = known.length === 0 ? 'this route takes none' : `known are ${known.join(', ')}`;
      throw invalid(`unknown query parameter '${name.slice(0, 64)}', ${listed}`);
    }
    if (parameters.has(name)) throw invalid(`the query parameter '${name}' is there twice`);
    if (value === '') throw invalid(`the query parameter '${name}' is empty, leave it out`);
    parameters.set(name, value);
  }
  return parameters;
}

function waitOf(parameters: Query): number {
  const text = parameters.get('wait') ?? '0';
  if (!/^\d{1,2}$/.test(text) || Number(text) > longestWaitS) {
    throw invalid(`'wait' must be a whole number of seconds, 0 to ${longestWaitS}`);
  }
  return Number(text) * 1000;
}

/** The parameter `limit`, or its default. @throws Rejection invalid_request */
export function limitOf(parameters: Query): number {
  const text = parameters.get('limit') ?? String(listed);
  if (!/^[1-9]\d{0,2}$/.test(text) || Number(text) > mostListed) {
    throw invalid(`'limit' must be a whole number, 1 to ${mostListed}`);
  }
  return Number(text);
}

function filterOf(parameters: Query): JobFilter {
  const state = parameters.get('state');
  if (state !== undefined && !isState(state)) throw invalid(`'state' must be one of ${states.join(', ')}`);
  const type = parameters.get('type');
  if (type !== undefined && !new RegExp(jobTypePattern).test(type)) throw invalid("'type' is no job type");
  const queue = parameters.get('queue');
  if (queue !== undefined && !new RegExp(queueNamePattern).test(queue))
    throw invalid("'queue' is no queue name");
  return {
    ...(state === undefined ? {} : { state }),
    ...(type === undefined ? {} : { type }),
    ...(queue === undefined ? {} : { queue }),
  };
}

function isState(text: string): text is State {
  return (states as readonly string[]).includes(text);
}

function invalid(detail: string): Rejection {
  return new Rejection('invalid_request', detail);
}
