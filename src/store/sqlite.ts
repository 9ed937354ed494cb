/** The store in an SQLite file: written by the thread that owns the file, read by a second one, so that a long read delays no write. */
import { StoreRefused, StoreUnavailable } from '../job/errors.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import { SqliteFailure } from '../runtime/sqlite-failure.js';
import { createSqliteThread, type SqliteThread } from '../runtime/sqlite-thread.js';
import { builderOf } from './builders.js';
import { schemaOf } from './schema.js';
import type { Sql, Statement } from './sql.js';
import { type SqlStore, storeOver } from './sql-store.js';
import type { SqlArgument } from './sqlite-operations.js';

export interface SqliteStoreOptions {
  /** DATA_DIR. */
  readonly folder: string;
  /**
   * The thread of the built-in engine on the same folder, with `storeSchema` among its schemas and `sqlOperationsUrl` among its
   * modules; it is started before the store and stopped after it. Absent: beside RabbitMQ, where the processes of one machine share the file.
   */
  readonly thread?: SqliteThread;
  readonly clock: Clock;
  readonly log: Log;
  /** A thread has ended by itself: the store cannot go on. */
  readonly failed: (error: SqliteFailure) => void;
}

/** The component `store` of the file. */
export const storeSchema: readonly string[] = schemaOf('sqlite');

/** The module with the store's operations, for the thread to load. */
export const sqlOperationsUrl: string = new URL(
  import.meta.url.endsWith('.ts') ? './sqlite-operations.ts' : './sqlite-operations.js',
  import.meta.url,
).href;

/** How long a failure counts for `health`. */
const FAULT_FOR_MS = 5_000;

/** `start` rejects with `SqliteFailure` when the file cannot be used. */
export function createSqliteStore({ folder, thread, clock, log, failed }: SqliteStoreOptions): SqlStore {
  const modules = [sqlOperationsUrl];
  const writer =
    thread ??
    createSqliteThread({
      folder,
      use: 'shared',
      schemas: { store: storeSchema },
      modules,
      clock,
      log,
      failed,
    });
  const reader = createSqliteThread({ folder, use: 'read', schemas: {}, modules, clock, log, failed });
  let faulted: { readonly reason: string; readonly untilMs: number } | undefined;

  async function run(
    on: SqliteThread,
    operation: string,
    statements: readonly Statement[],
  ): Promise<unknown[][]> {
    const argument: SqlArgument = statements.map((statement) => [statement.sql, statement.parameters]);
    try {
      return (await on.run(operation, argument)) as unknown[][];
    } catch (thrown) {
      if (!(thrown instanceof SqliteFailure)) throw thrown;
      if (thrown.kind === 'content') throw new StoreRefused(thrown.message, { cause: thrown });
      faulted = { reason: thrown.message, untilMs: clock.now() + FAULT_FOR_MS };
      throw new StoreUnavailable(thrown.message, { cause: thrown });
    }
  }

  const sql: Sql = {
    dialect: 'sqlite',
    place: writer.file,
    build: builderOf('sqlite'),
    async read<Row>(query: Statement<Row>) {
      const [rows] = await run(reader, 'sql.read', [query]);
      return rows as Row[];
    },
    write: (statements) => run(writer, 'sql.write', statements),
  };
  return storeOver(sql, clock, {
    async start() {
      if (thread === undefined) await writer.start();
      await reader.start();
    },
    async stop() {
      await reader.stop();
      if (thread === undefined) await writer.stop();
    },
    health: () =>
      faulted !== undefined && clock.now() < faulted.untilMs
        ? { ok: false, reason: faulted.reason }
        : { ok: true },
  });
}
