/** Replays and discards of many dead jobs: registers, so that they are visible, can be stopped, and go on after a restart. */
import { select } from './builders.js';
import { sql as raw } from './kysely.js';
import type { Sql } from './sql.js';
import type { DeadFilter } from './store.js';

export interface Redrive {
  /** UUID v7. */
  readonly id: string;
  readonly kind: 'replay' | 'discard';
  readonly state: 'running' | 'done' | 'stopped' | 'halted';
  readonly reason: string | null;
  /** Ends at its creation (`diedBeforeMs`), so that what dies again is not driven again. */
  readonly filter: DeadFilter;
  /** Null: as fast as it goes. */
  readonly ratePerSecond: number | null;
  readonly matched: number;
  readonly done: number;
  readonly skipped: number;
  /** Where it goes on: of `JobReader.deadIds`. */
  readonly cursor: string | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly endedAtMs: number | null;
  /** W3C Trace Context of the request that ordered it, where it has one: its replays link to it. */
  readonly traceparent?: string;
}

export interface RedriveStep {
  /** Of this step alone: booked again, as after an answer that was lost, it does not count again. */
  readonly id: string;
  readonly done: number;
  readonly skipped: number;
  readonly cursor: string | null;
  /** The runs that it has begun, for `outcome`. */
  readonly replayed: readonly { readonly id: string; readonly run: number }[];
}

export interface Redrives {
  create(redrive: Redrive): Promise<void>;
  get(id: string): Promise<Redrive | undefined>;
  /** Newest first. */
  list(limit: number): Promise<readonly Redrive[]>;
  /** Ends it unless it has ended. False when there is no such one that runs. */
  end(
    id: string,
    state: 'done' | 'stopped' | 'halted',
    reason: string | null,
    nowMs: number,
  ): Promise<boolean>;
  /** Takes one that runs and that nobody drives, until `untilMs`. */
  claim(driver: string, nowMs: number, untilMs: number): Promise<Redrive | undefined>;
  /**
   * Books a step and holds the redrive until `untilMs`; 0 gives it free. The step booked last can be booked again, and counts once. The counts are taken as long as nobody else drives it, so
   * that a step during which it was stopped still counts: see the state of what is answered. Undefined when another one drives it.
   */
  book(
    id: string,
    driver: string,
    step: RedriveStep,
    nowMs: number,
    untilMs: number,
  ): Promise<Redrive | undefined>;
  /** Of the runs it has begun and that are still known: how many have ended, and how many of these died. */
  outcome(id: string): Promise<{ readonly ended: number; readonly died: number }>;
  /** Deletes one that ended before then, with its runs. Whether there was one. */
  sweep(endedBeforeMs: number): Promise<boolean>;
}

interface Row {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly reason: string | null;
  readonly filter: string;
  readonly rate_per_second: number | null;
  readonly matched: number;
  readonly done: number;
  readonly skipped: number;
  readonly cursor: string | null;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
  readonly ended_at_ms: number | null;
  readonly traceparent: string | null;
}

const columns = [
  'id',
  'kind',
  'state',
  'reason',
  'filter',
  'rate_per_second',
  'matched',
  'done',
  'skipped',
  'cursor',
  'created_at_ms',
  'updated_at_ms',
  'ended_at_ms',
  'traceparent',
] as const;

export function createRedrives(sql: Sql): Redrives {
  const db = sql.build;

  return {
    async create(redrive) {
      await sql.write([
        db
          .insertInto('sluice_redrives')
          .values({
            id: redrive.id,
            kind: redrive.kind,
            state: redrive.state,
            reason: redrive.reason,
            filter: JSON.stringify(redrive.filter),
            rate_per_second: redrive.ratePerSecond,
            matched: redrive.matched,
            done: redrive.done,
            skipped: redrive.skipped,
            cursor: redrive.cursor,
            created_at_ms: redrive.createdAtMs,
            updated_at_ms: redrive.updatedAtMs,
            ended_at_ms: redrive.endedAtMs,
            driver: null,
            driven_until_ms: 0,
            last_step: null,
            traceparent: redrive.traceparent ?? null,
          })
          .compile(),
      ]);
    },

    async get(id) {
      const [row] = await select(sql, db.selectFrom('sluice_redrives').select(columns).where('id', '=', id));
      return row && redriveOf(row);
    },

    async list(limit) {
      const query = db.selectFrom('sluice_redrives').select(columns).orderBy('id', 'desc').limit(limit);
      return (await select(sql, query)).map(redriveOf);
    },

    async end(id, state, reason, nowMs) {
      const [rows = []] = await sql.write([
        db
          .updateTable('sluice_redrives')
          .set({ state, reason, ended_at_ms: nowMs, updated_at_ms: nowMs })
          .where('id', '=', id)
          .where('state', '=', 'running')
          .returning('id')
          .compile(),
      ]);
      return rows.length > 0;
    },

    async claim(driver, nowMs, untilMs) {
      const [rows = []] = await sql.write([
        db
          .updateTable('sluice_redrives')
          .set({ driver, driven_until_ms: untilMs })
          .where('id', '=', (of) =>
            of
              .selectFrom('sluice_redrives')
              .select('id')
              .where('state', '=', 'running')
              .where('driven_until_ms', '<', nowMs)
              .orderBy('id')
              .limit(1),
          )
          // Again, for the row as it is when its lock is ours.
          .where('state', '=', 'running')
          .where('driven_until_ms', '<', nowMs)
          .returning(columns)
          .compile(),
      ]);
      const [row] = rows as readonly Row[];
      return row && redriveOf(row);
    },

    async book(id, driver, step, nowMs, untilMs) {
      // In SET both databases read the row as it was before.
      const unlessBooked = (count: number) =>
        raw<number>`case when last_step = ${step.id} then 0 else cast(${count} as bigint) end`;
      const update = db
        .updateTable('sluice_redrives')
        .set((of) => ({
          done: of('done', '+', unlessBooked(step.done)),
          skipped: of('skipped', '+', unlessBooked(step.skipped)),
          cursor: step.cursor,
          last_step: step.id,
          updated_at_ms: nowMs,
          driven_until_ms: untilMs,
        }))
        .where('id', '=', id)
        .where('driver', '=', driver)
        .returning(columns)
        .compile();
      // These runs have begun, whoever drives it now.
      const items = step.replayed.map(({ id: job, run }) =>
        db
          .insertInto('sluice_redrive_runs')
          .values({ redrive: id, job, run })
          .onConflict((conflict) => conflict.doNothing())
          .compile(),
      );
      const [rows = []] = await sql.write([update, ...items]);
      const [row] = rows as readonly Row[];
      return row && redriveOf(row);
    },

    async outcome(id) {
      const [row] = await sql.read<{ ended: number; died: number }>(
        raw`select count(*) as ended, coalesce(sum(
            case when jobs.run = runs.run and jobs.state in ('dead', 'discarded') then 1
            when exists (select 1 from sluice_attempts as attempts
              where attempts.id = runs.job and attempts.run = runs.run and attempts.outcome = 'dead') then 1
            else 0 end), 0) as died
          from sluice_redrive_runs as runs inner join sluice_jobs as jobs on jobs.id = runs.job
          where runs.redrive = ${id}
            and (jobs.run > runs.run or (jobs.run = runs.run and jobs.finished_at_ms is not null))`.compile(
          db,
        ),
      );
      return { ended: Number(row?.ended ?? 0), died: Number(row?.died ?? 0) };
    },

    async sweep(endedBeforeMs) {
      const old = db
        .selectFrom('sluice_redrives')
        .select('id')
        .where('ended_at_ms', '<', endedBeforeMs)
        .orderBy('id')
        .limit(1);
      const [, rows = []] = await sql.write([
        db.deleteFrom('sluice_redrive_runs').where('redrive', 'in', old).compile(),
        db
          .deleteFrom('sluice_redrives')
          .where('id', 'in', old)
          // Another sweeper may have been here between the two statements: then this is another one.
          .where(
            'id',
            'not in',
            db.selectFrom('sluice_redrive_runs').select('redrive').where('redrive', 'in', old),
          )
          .returning('id')
          .compile(),
      ]);
      return rows.length > 0;
    },
  };
}

function redriveOf(row: Row): Redrive {
  return {
    id: row.id,
    kind: row.kind as Redrive['kind'],
    state: row.state as Redrive['state'],
    reason: row.reason,
    filter: JSON.parse(row.filter) as DeadFilter,
    ratePerSecond: row.rate_per_second,
    matched: row.matched,
    done: row.done,
    skipped: row.skipped,
    cursor: row.cursor,
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    endedAtMs: row.ended_at_ms,
    ...(row.traceparent !== null && { traceparent: row.traceparent }),
  };
}
