/** Runs the store's statements in the threads of the SQLite file: `sql.write` in the one that writes, `sql.read` beside it. */
import type { Database, Statement as Prepared } from 'better-sqlite3';
import type { SqliteModule } from '../runtime/sqlite-owner.js';

export type SqlArgument = readonly (readonly [sql: string, parameters: readonly unknown[]])[];

/** Statements that stay prepared; their texts are few, but for lists with rare filters. */
const MOST_PREPARED = 200;

/** @public Called by the thread, which loads this module by its URL. */
export function install(db: Database): SqliteModule {
  const run = createRun(db);
  return { operations: { 'sql.write': run, 'sql.read': run } };
}

/** @returns what runs statements; the rows of each */
export function createRun(db: Database): (statements: SqlArgument) => unknown[][] {
  const prepared = new Map<string, Prepared>();

  function prepare(sql: string): Prepared {
    const found = prepared.get(sql);
    if (found !== undefined) return found;
    const [oldest] = prepared.keys();
    if (prepared.size >= MOST_PREPARED && oldest !== undefined) prepared.delete(oldest);
    const made = db.prepare(sql);
    prepared.set(sql, made);
    return made;
  }

  return (statements) =>
    statements.map(([sql, parameters]) => {
      const statement = prepare(sql);
      if (statement.reader) return statement.all(...parameters);
      statement.run(...parameters);
      return [];
    });
}
