/** What the store forgets, in SQL: small steps, each one transaction, safe when several recorders take them at once. */
import type { State } from '../job/state.js';
import { type OnConflictBuilder, sql as raw, type SelectQueryBuilder } from './kysely.js';
import { forgottenBefore, remade } from './remade.js';
import type { Sql, Statement } from './sql.js';
import type { Database } from './tables.js';

/** Finished, and nobody needs to look at them again. Dead jobs are not among them: they wait for a person. */
export const settledStates = ['succeeded', 'cancelled', 'discarded'] as const satisfies readonly State[];

export interface Retention {
  /** Before when settled jobs have to have finished to be beyond the newest `jobs` of them; undefined when there are no more than that. */
  finishedBeforeNewest(jobs: number): Promise<number | undefined>;
  /**
   * Deletes jobs in one of these states that finished before then, oldest first, with their attempts and payloads, and counts them in
   * the totals. How many: less than `limit` when no more are left.
   */
  deleteJobs(among: readonly State[], finishedBeforeMs: number, limit: number): Promise<number>;
  /** Deletes rows that late news has made anew before then and that have not ended. How many, as above. */
  deleteRemade(beforeMs: number, limit: number): Promise<number>;
  /** Deletes buckets from before then. */
  deleteFlow(beforeMs: number): Promise<void>;
  /**
   * Deletes cancel requests whose run ended before `endedBeforeMs`, and those without a row that were asked for before
   * `orphansBeforeMs`. How many: less than `limit` when no more are left.
   */
  deleteCancels(endedBeforeMs: number, orphansBeforeMs: number, limit: number): Promise<number>;
  /** Deletes what came into quarantine before then, oldest first. How many: less than `limit` when no more are left. */
  deleteQuarantined(beforeMs: number, limit: number): Promise<number>;
}

/** Rows of jobs to delete, at most so many. */
type Doomed = SelectQueryBuilder<Database, 'sluice_jobs', object>;

export function createRetention({ dialect, build, read, write }: Sql): Retention {
  function finished(among: readonly State[], finishedBeforeMs: number, limit: number) {
    return (
      build
        .selectFrom('sluice_jobs')
        .where('state', 'in', [...among])
        .where('finished_at_ms', '<', finishedBeforeMs)
        // A replay may have been published, and its event is on its way.
        .where(({ or, eb }) =>
          or([eb('claimed_until_ms', 'is', null), eb('claimed_until_ms', '<', finishedBeforeMs)]),
        )
        .orderBy('finished_at_ms')
        .orderBy('id')
        .limit(limit)
    );
  }

  function remadeAndOpen(beforeMs: number, limit: number) {
    return build
      .selectFrom('sluice_jobs')
      .where('id', 'in', (of) => of.selectFrom('sluice_remade').select('id').where('at_ms', '<', beforeMs))
      .where('finished_at_ms', 'is', null)
      .orderBy('id')
      .limit(limit);
  }

  /** First of all: who deletes has told so before, and two who delete wait for each other here and nowhere else. */
  function tellForgotten(doomed: Doomed, beforeMs: number): Statement {
    return build
      .insertInto('sluice_totals')
      .columns(['state', 'count', 'accepted'])
      .expression(
        build
          .selectNoFrom([
            raw<string>`cast(${forgottenBefore} as text)`.as('state'),
            raw<number>`cast(${beforeMs} as bigint)`.as('count'),
            raw<number>`0`.as('accepted'),
          ])
          .where(({ exists }) => exists(doomed.select('id'))),
      )
      .onConflict((conflict) =>
        conflict
          .column('state')
          .doUpdateSet(({ ref }) => ({ count: ref('excluded.count') }))
          .whereRef('sluice_totals.count', '<', 'excluded.count'),
      )
      .compile();
  }

  const totalOf = (table: string) =>
    raw<string>`case when exists (select 1 from sluice_remade as mark where mark.id = ${raw.ref(`${table}.id`)})
      then ${raw.lit(remade)} else ${raw.ref(`${table}.state`)} end`;

  /** A statement of SQLite cannot both delete and count, but its transactions run one after the other. */
  function deleteOnSqlite(doomed: Doomed): Statement[] {
    const doomedIds = doomed.select('id');
    return [
      build
        .insertInto('sluice_totals')
        .columns(['state', 'count', 'accepted'])
        .expression(({ selectFrom }) =>
          selectFrom(doomed.select(['id', 'state', 'is_accepted']).as('gone'))
            .select(({ fn }) => [
              totalOf('gone').as('total'),
              fn.countAll<number>().as('count'),
              fn.sum<number>('is_accepted').as('accepted'),
            ])
            .where(raw<boolean>`true`) // Else SQLite takes ON CONFLICT for the join of the SELECT.
            .groupBy('total'),
        )
        .onConflict(addToTotals)
        .compile(),
      build.deleteFrom('sluice_attempts').where('id', 'in', doomedIds).compile(),
      build.deleteFrom('sluice_payloads').where('id', 'in', doomedIds).compile(),
      // The marks last: they can be what dooms a row.
      build
        .deleteFrom('sluice_jobs')
        .where('id', 'in', doomedIds)
        .returning(raw<number>`1`.as('gone'))
        .compile(),
    ];
  }

  /** One statement, so that rows are counted by whoever deletes them. Locked rows are passed over: another recorder has them, or they change. */
  function deleteOnPostgres(doomed: Doomed): Statement {
    return build
      .with('gone', (db) =>
        db
          .deleteFrom('sluice_jobs')
          .where('id', 'in', doomed.select('id').forUpdate().skipLocked())
          .returning(['id', 'state', 'is_accepted']),
      )
      .with('gone_attempts', (db) =>
        db.deleteFrom('sluice_attempts').where('id', 'in', db.selectFrom('gone').select('id')),
      )
      .with('gone_payloads', (db) =>
        db.deleteFrom('sluice_payloads').where('id', 'in', db.selectFrom('gone').select('id')),
      )
      .with('counted', (db) =>
        db
          .insertInto('sluice_totals')
          .columns(['state', 'count', 'accepted'])
          .expression(
            db
              .selectFrom('gone')
              .select(({ fn }) => [
                totalOf('gone').as('total'),
                fn.countAll<number>().as('count'),
                fn.sum<number>('is_accepted').as('accepted'),
              ])
              .groupBy('total')
              .orderBy('total'), // One order of locks for all recorders.
          )
          .onConflict(addToTotals),
      )
      .selectFrom('gone')
      .select(raw<number>`1`.as('gone'))
      .compile();
  }

  async function deleteDoomed(doomed: Doomed, told: readonly Statement[]): Promise<number> {
    const deletion = dialect === 'sqlite' ? deleteOnSqlite(doomed) : [deleteOnPostgres(doomed)];
    const answers = await write([...told, ...deletion, unusedMarks]);
    return answers.at(-2)?.length ?? 0;
  }

  const unusedMarks = build
    .deleteFrom('sluice_remade')
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(selectFrom('sluice_jobs as job').select('job.id').whereRef('job.id', '=', 'sluice_remade.id')),
      ),
    )
    .compile();

  return {
    async finishedBeforeNewest(jobs) {
      const settled = build.selectFrom('sluice_jobs').where('state', 'in', [...settledStates]);
      const [counted] = await read<{ readonly count: number }>(
        settled.select(({ fn }) => fn.countAll<number>().as('count')).compile(),
      );
      const tooMany = (counted?.count ?? 0) - jobs;
      if (tooMany <= 0) return undefined;
      const [newest] = await read<{ readonly finished_at_ms: number }>(
        settled
          .select('finished_at_ms')
          .where('finished_at_ms', 'is not', null)
          .orderBy('finished_at_ms')
          .offset(tooMany - 1)
          .limit(1)
          .compile(),
      );
      return newest === undefined ? undefined : newest.finished_at_ms + 1;
    },

    deleteJobs(among, finishedBeforeMs, limit) {
      const doomed = finished(among, finishedBeforeMs, limit);
      return deleteDoomed(doomed, [tellForgotten(doomed, finishedBeforeMs)]);
    },

    deleteRemade: (beforeMs, limit) => deleteDoomed(remadeAndOpen(beforeMs, limit), []),

    async deleteFlow(beforeMs) {
      await write([build.deleteFrom('sluice_flow').where('bucket_ms', '<', beforeMs).compile()]);
    },

    async deleteCancels(endedBeforeMs, orphansBeforeMs, limit) {
      // Looked for beside what is written: with many orders that takes a while.
      const over = await read<{ readonly id: string; readonly run: number }>(
        build
          .selectFrom('sluice_cancels as asked')
          .leftJoin('sluice_jobs as job', 'job.id', 'asked.id')
          .select(['asked.id', 'asked.run'])
          .where(({ or, and, eb }) =>
            or([
              and([eb('job.id', 'is', null), eb('asked.at_ms', '<', orphansBeforeMs)]),
              and([
                eb('asked.at_ms', '<', endedBeforeMs),
                or([
                  eb('job.run', '>', eb.ref('asked.run')),
                  and([
                    eb('job.run', '=', eb.ref('asked.run')),
                    eb('job.finished_at_ms', '<', endedBeforeMs),
                  ]),
                ]),
              ]),
            ]),
          )
          .limit(limit)
          .compile(),
      );
      if (over.length > 0)
        await write(
          over.map(({ id, run }) =>
            build.deleteFrom('sluice_cancels').where('id', '=', id).where('run', '=', run).compile(),
          ),
        );
      return over.length;
    },

    async deleteQuarantined(beforeMs, limit) {
      // By id, which rises with the time: no index, and what is young is not looked at.
      const oldest = build
        .selectFrom('sluice_quarantine')
        .select(['id', 'at_ms'])
        .orderBy('id')
        .limit(limit)
        .as('oldest');
      const [gone = []] = await write([
        build
          .deleteFrom('sluice_quarantine')
          .where('id', 'in', (of) =>
            of.selectFrom(oldest).select('oldest.id').where('oldest.at_ms', '<', beforeMs),
          )
          .returning(raw<number>`1`.as('gone'))
          .compile(),
      ]);
      return gone.length;
    },
  };
}

export function addToTotals(conflict: OnConflictBuilder<Database, 'sluice_totals'>) {
  return conflict.column('state').doUpdateSet(({ eb, ref }) => ({
    count: eb(ref('sluice_totals.count'), '+', ref('excluded.count')),
    accepted: eb(ref('sluice_totals.accepted'), '+', ref('excluded.accepted')),
  }));
}
