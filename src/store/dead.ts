/** The dead jobs, for the workbench of dead letters. */
import type { SelectQueryBuilder } from 'kysely';
import type { Failure } from '../job/outcome.js';
import { select } from './builders.js';
import { badCursor, idsIn } from './jobs.js';
import type { Sql } from './sql.js';
import type { DeadFilter, JobReader } from './store.js';
import type { Database } from './tables.js';

type JobQuery<Row> = SelectQueryBuilder<Database, 'sluice_jobs', Row>;

export function createDeadReader(sql: Sql): Pick<JobReader, 'deadGroups' | 'deadIds' | 'countDead'> {
  const { build } = sql;

  function dead(filter: DeadFilter): JobQuery<object> {
    // Every dead job has both; said here so that the indexes of ended and of grouped jobs can be used.
    let query: JobQuery<object> = build
      .selectFrom('sluice_jobs')
      .where('state', '=', 'dead')
      .where('finished_at_ms', 'is not', null);
    if (filter.ids !== undefined) query = query.where('id', 'in', idsIn(sql, filter.ids));
    if (filter.group !== undefined) query = query.where('error_group', '=', filter.group);
    if (filter.type !== undefined) query = query.where('type', '=', filter.type);
    if (filter.queue !== undefined) query = query.where('queue', '=', filter.queue);
    if (filter.diedBeforeMs !== undefined) query = query.where('finished_at_ms', '<', filter.diedBeforeMs);
    return query;
  }

  async function newestOf(filter: DeadFilter, group: string) {
    const [newest] = await select(
      sql,
      dead({ ...filter, group })
        .select(['id', 'type', 'queue', 'failure'])
        .orderBy('finished_at_ms', 'desc')
        .orderBy('id', 'desc')
        .limit(1),
    );
    if (newest === undefined) return undefined; // Replayed or deleted since the groups were counted.
    const { name, message } = JSON.parse(newest.failure ?? '{}') as Partial<Failure>;
    return {
      id: newest.id,
      type: newest.type,
      queue: newest.queue,
      name: name ?? '',
      message: message ?? '',
    };
  }

  return {
    async deadGroups(filter, limit) {
      const groups = await select(
        sql,
        dead(filter)
          .where('error_group', 'is not', null)
          .select('error_group as group')
          .select(({ fn }) => [
            fn.countAll<number>().as('count'),
            fn.min<number>('finished_at_ms').as('firstAtMs'),
            fn.max<number>('finished_at_ms').as('lastAtMs'),
          ])
          .groupBy('error_group')
          .orderBy('count', 'desc')
          .orderBy('group')
          .limit(limit),
      );
      const found = await Promise.all(
        groups.map(async ({ group, ...counted }) => {
          const example = await newestOf(filter, group ?? '');
          return example === undefined ? [] : [{ group: group ?? '', ...counted, example }];
        }),
      );
      return found.flat();
    },

    async deadIds(filter, { limit, cursor }) {
      let query = dead(filter);
      if (cursor !== undefined) {
        const { atMs, id } = deathOfCursor(cursor);
        query = query.where(({ eb, refTuple, tuple }) =>
          eb(refTuple('finished_at_ms', 'id'), '>', tuple(atMs, id)),
        );
      }
      const rows = await select(
        sql,
        query
          .select(['id', 'finished_at_ms'])
          .orderBy('finished_at_ms')
          .orderBy('id')
          .limit(limit + 1),
      );
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      const hasMore = rows.length > limit && last !== undefined;
      return {
        ids: page.map(({ id }) => id),
        next: hasMore ? Buffer.from(`${last.finished_at_ms} ${last.id}`).toString('base64url') : undefined,
      };
    },

    async countDead(filter) {
      const [counted] = await select(
        sql,
        dead(filter).select(({ fn }) => fn.countAll<number>().as('count')),
      );
      return counted?.count ?? 0;
    },
  };
}

function deathOfCursor(cursor: string): { readonly atMs: number; readonly id: string } {
  const [, atMs, id] = /^(\d{1,16}) ([0-9a-f-]{36})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (atMs === undefined || id === undefined) throw badCursor();
  return { atMs: Number(atMs), id };
}
