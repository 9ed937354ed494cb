/** What people read of jobs. Pages go by key, newest first: their cost does not grow with the page's number. */
import { Invalid } from '../job/errors.js';
import type { Lane } from '../job/job.js';
import { displayedState, type State } from '../job/state.js';
import { select } from './builders.js';
import { sql as raw, type SelectQueryBuilder } from './kysely.js';
import { attemptOf, jobColumns, jobOf, type StoredJob } from './rows.js';
import { openOrDead } from './schema.js';
import type { Sql } from './sql.js';
import type { JobFilter, JobReader } from './store.js';
import type { Database } from './tables.js';

type JobQuery<Row> = SelectQueryBuilder<Database, 'sluice_jobs', Row>;

/** Rows of one state, or of all, that one page of a narrowed list looks at. */
const MOST_LOOKED_AT = 100_000;

export function createJobReader(
  sql: Sql,
  mostLookedAt = MOST_LOOKED_AT,
): Omit<JobReader, 'deadGroups' | 'deadIds' | 'countDead'> {
  const { build } = sql;

  /**
   * How far down one page looks: no index leads to the few rows of a rare type, queue or group, and a walk through a million rows takes
   * the better part of a second. Undefined: to the end.
   */
  async function lowestOf(filter: JobFilter, before: string | undefined): Promise<string | undefined> {
    const { state, type, queue, group } = filter;
    if (type === undefined && queue === undefined && group === undefined) return undefined;
    // The ids alone, which are in the index.
    const walks = storedStatesOf(state).map((stored) => {
      const ids = between(build.selectFrom('sluice_jobs').select('id'), before, undefined);
      const walk = stored === undefined ? ids : ids.where('state', '=', stored);
      return select(
        sql,
        walk
          .orderBy('id', 'desc')
          .offset(mostLookedAt - 1)
          .limit(1),
      );
    });
    const ends = (await Promise.all(walks)).flatMap((rows) => rows.map(({ id }) => id));
    return ends.sort().at(-1);
  }

  return {
    async get(id) {
      const [jobs, attempts] = await Promise.all([
        select(
          sql,
          build
            .selectFrom('sluice_jobs')
            .leftJoin('sluice_payloads', 'sluice_payloads.id', 'sluice_jobs.id')
            .select(jobColumns.map((name) => `sluice_jobs.${name}` as const))
            .select('sluice_payloads.payload')
            .where('sluice_jobs.id', '=', id),
        ),
        select(
          sql,
          build
            .selectFrom('sluice_attempts')
            .selectAll()
            .where('id', '=', id)
            .orderBy('run')
            .orderBy('attempt'),
        ),
      ]);
      const [job] = jobs;
      if (job === undefined) return undefined;
      return { row: jobOf(job), attempts: attempts.map(attemptOf), payload: job.payload ?? undefined };
    },

    async list(filter, { limit, cursor, nowMs }) {
      const before = cursor === undefined ? undefined : idOfCursor(cursor);
      const lowest = await lowestOf(filter, before);
      const page = (query: JobQuery<StoredJob>): JobQuery<StoredJob> =>
        filtered(between(query, before, lowest), filter)
          .orderBy('id', 'desc')
          .limit(limit + 1);
      const all = build.selectFrom('sluice_jobs').select(jobColumns);
      // Each part is one walk through jobs_by_state; what several of them find is merged here.
      const parts = partsOf(all, filter.state, nowMs).map((part) => select(sql, page(part)));
      const found = (await Promise.all(parts)).flat();
      if (parts.length > 1) found.sort((a, b) => (a.id < b.id ? 1 : -1));
      const rows = found.slice(0, limit).map((stored) => {
        const row = jobOf(stored);
        return { ...row, state: displayedState(row, nowMs) };
      });
      const last = found.length > limit ? rows.at(-1)?.id : lowest;
      return { rows, next: last === undefined ? undefined : cursorOfId(last) };
    },

    async states(ids) {
      if (ids.length === 0) return [];
      const rows = await select(
        sql,
        build.selectFrom('sluice_jobs').select(['id', 'run', 'state']).where('id', 'in', idsIn(sql, ids)),
      );
      return rows.map(({ id, run, state }) => ({ id, run, state: state as State }));
    },

    async counts(nowMs) {
      const state = raw<string>`case when state in ('scheduled', 'retrying') and due_at_ms <= ${nowMs} then 'queued' else state end`;
      const rows = await select(
        sql,
        build
          .selectFrom('sluice_jobs')
          .select(['queue', 'lane', state.as('displayed')])
          .select(({ fn }) => [fn.countAll<number>().as('count'), fn.min('due_at_ms').as('oldest')])
          .where(raw<boolean>`${raw.raw(openOrDead)}`)
          .groupBy(['queue', 'lane', 'displayed']),
      );
      return rows.map((row) => ({
        queue: row.queue,
        lane: row.lane as Lane,
        state: row.displayed as State,
        count: row.count,
        oldestDueMs: row.oldest,
      }));
    },

    async size() {
      const [row] = await select(
        sql,
        build.selectFrom('sluice_jobs').select(({ fn }) => fn.countAll<number>().as('count')),
      );
      return row?.count ?? 0;
    },

    async flow(sinceMs) {
      const rows = await select(
        sql,
        build
          .selectFrom('sluice_flow')
          .select('queue')
          .select(({ fn }) => [
            fn.min('bucket_ms').as('bucketMs'),
            fn.sum<number>('accepted').as('accepted'),
            fn.sum<number>('succeeded').as('succeeded'),
            fn.sum<number>('retried').as('retried'),
            fn.sum<number>('dead').as('dead'),
            fn.sum<number>('cancelled').as('cancelled'),
          ])
          .where('bucket_ms', '>=', sinceMs)
          .groupBy('queue')
          .orderBy('queue'),
      );
      return rows;
    },
  };
}

/** The stored states that are displayed as this one. */
function partsOf(
  all: JobQuery<StoredJob>,
  state: State | undefined,
  nowMs: number,
): readonly JobQuery<StoredJob>[] {
  switch (state) {
    case undefined:
      return [all];
    case 'queued':
      return [
        all.where('state', '=', 'queued'),
        all.where('state', '=', 'scheduled').where('due_at_ms', '<=', nowMs),
        all.where('state', '=', 'retrying').where('due_at_ms', '<=', nowMs),
      ];
    case 'scheduled':
    case 'retrying':
      return [all.where('state', '=', state).where('due_at_ms', '>', nowMs)];
    default:
      return [all.where('state', '=', state)];
  }
}

/** The same states, where the time does not matter. */
function storedStatesOf(state: State | undefined): readonly (State | undefined)[] {
  return state === 'queued' ? ['queued', 'scheduled', 'retrying'] : [state];
}

/** Of ids below `before`, those from `lowest` up. */
function between<Row>(
  query: JobQuery<Row>,
  before: string | undefined,
  lowest: string | undefined,
): JobQuery<Row> {
  const below = before === undefined ? query : query.where('id', '<', before);
  return lowest === undefined ? below : below.where('id', '>=', lowest);
}

function filtered(query: JobQuery<StoredJob>, { type, queue, group }: JobFilter): JobQuery<StoredJob> {
  let narrowed = query;
  if (type !== undefined) narrowed = narrowed.where('type', '=', type);
  if (queue !== undefined) narrowed = narrowed.where('queue', '=', queue);
  if (group !== undefined) narrowed = narrowed.where('error_group', '=', group);
  return narrowed;
}

/** A list of any length as one parameter, so that its statement is one text. */
export function idsIn(sql: Sql, ids: readonly string[]) {
  const list = JSON.stringify(ids);
  return sql.dialect === 'sqlite'
    ? raw<string>`(select value from json_each(${list}))`
    : raw<string>`(select json_array_elements_text(${list}::json))`;
}

function cursorOfId(id: string): string {
  return Buffer.from(id).toString('base64url');
}

function idOfCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString();
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) throw badCursor();
  return id;
}

export function badCursor(): Invalid {
  return new Invalid(
    'invalid_request',
    'cursor is not one that a page before has given: begin again without it',
  );
}
