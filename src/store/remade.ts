/**
 * News of a job that comes after retention has deleted its row makes the row anew: from the spool of a machine that was away, or a batch
 * that comes a second time. Such a row stands for nothing: whether it was counted before nobody can tell, it may never end, and no
 * broker holds it. So it is marked, counted by itself, called neither lost nor surplus, and deleted again. Only old news is looked at.
 */
import type { JobRow } from '../job/fold.js';
import { acceptedAtMs } from '../job/job.js';
import { sql as raw } from './kysely.js';
import type { Sql, Statement } from './sql.js';

/** No job is deleted sooner after its end (recorder/upkeep), so younger news finds the row it speaks of. */
export const LEAST_AGE_MS = 60_000;

/** In `sluice_totals`. */
export const forgottenBefore = 'forgotten_before';
export const remade = 'remade';

/** @returns statements to run before rows are written: they mark those that are not there, and may have been deleted */
export function createRemadeMarks({
  build,
  dialect,
}: Pick<Sql, 'build' | 'dialect'>): (rows: readonly JobRow[], nowMs: number) => Statement[] {
  const source =
    dialect === 'sqlite'
      ? (list: string) => raw`(SELECT value ->> 0 AS id, value ->> 1 AS born FROM json_each(${list}))`
      : (list: string) =>
          raw`(SELECT value ->> 0 AS id, (value ->> 1)::bigint AS born FROM json_array_elements(${list}::json))`;

  return (rows, nowMs) => {
    const before = nowMs - LEAST_AGE_MS;
    const late = rows.flatMap((row): (readonly [string, number])[] => {
      const told = row.finishedAtMs ?? row.startedAtMs;
      if (told !== null && told >= before) return [];
      const bornMs = acceptedAtMs(row);
      return bornMs < before ? [[row.id, bornMs]] : [];
    });
    if (late.length === 0) return [];
    // The clocks of those who accept and those who run differ.
    return [
      raw`
        INSERT INTO sluice_remade (id, at_ms)
        SELECT late.id, ${nowMs} FROM ${source(JSON.stringify(late))} AS late
         WHERE late.born < (SELECT count + ${raw.lit(LEAST_AGE_MS)} FROM sluice_totals WHERE state = ${raw.lit(forgottenBefore)})
           AND NOT EXISTS (SELECT 1 FROM sluice_jobs AS job WHERE job.id = late.id)
         ORDER BY late.id
        ON CONFLICT DO NOTHING`.compile(build),
    ];
  };
}
