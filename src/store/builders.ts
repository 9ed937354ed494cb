/** Kysely as a compiler alone: no connection, no driver. */
import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from './kysely.js';
import type { Sql, Statement } from './sql.js';
import type { Database } from './tables.js';

export function builderOf(dialect: Sql['dialect']): Kysely<Database> {
  const isSqlite = dialect === 'sqlite';
  return new Kysely<Database>({
    dialect: {
      createAdapter: () => (isSqlite ? new SqliteAdapter() : new PostgresAdapter()),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => (isSqlite ? new SqliteIntrospector(db) : new PostgresIntrospector(db)),
      createQueryCompiler: () => (isSqlite ? new SqliteQueryCompiler() : new PostgresQueryCompiler()),
    },
  });
}

/** Reads what a builder asks for, with its type. */
export function select<Row>(
  sql: Sql,
  query: { compile(): Statement; execute(): Promise<Row[]> },
): Promise<Row[]> {
  return sql.read<Row>(query.compile());
}
