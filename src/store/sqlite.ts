/** The store in an SQLite file: written by the thread that owns the file, read by a second one, so that a long read delays no write. */
import { StoreRefused, StoreUnavailable } from '../job/errors.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Health } from '../runtime/service.js';
import { SqliteFailure } from '../runtime/sqlite-failure.js';
import { createSqliteThread, type SqliteThread } from '../runtime/sqlite-thread.js';
import { builderOf } from './builders.js';
import { schemaOf } from './schema.js';
import type { Sql, Statement } from './sql.js';
import { type SqlStore, storeOver } from './sql-store.js';
import type { SqlArgument } from './sqlite-operations.js';
import type { RecordBatches } from './sqlite-recording.js';

export interface SqliteStoreOptions {
  /** DATA_DIR. */
  readonly folder: string;
  /**
   * The thread of the built-in engine on the same folder, with `storeSchema` among its schemas and `storeModules` among its
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

/** The modules with the store's operations, for the thread that writes to load. */
export const storeModules: readonly string[] = [
  moduleUrl('sqlite-operations'),
  moduleUrl('sqlite-recording'),
];
const modulesToRead = storeModules.slice(0, 1);

function moduleUrl(name: string): string {
  return new URL(`./${name}.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url).href;
}

/** How long a failure counts for `health`. */
const FAULT_FOR_MS = 5_000;

/** `start` rejects with `SqliteFailure` when the file cannot be used. */
export function createSqliteStore({ folder, thread, clock, log, failed }: SqliteStoreOptions): SqlStore {
  const writer =
    thread ??
    createSqliteThread({
      folder,
      use: 'shared',
      schemas: { store: storeSchema },
      modules: storeModules,
      clock,
      log,
      failed,
    });
  const reader = createSqliteThread({
    folder,
    use: 'read',
    schemas: {},
    modules: modulesToRead,
    clock,
    log,
    failed,
  });
  let faulted: { readonly reason: string; readonly untilMs: number } | undefined;

  async function run(
    on: SqliteThread,
    operation: string,
    statements: readonly Statement[],
  ): Promise<unknown[][]> {
    const argument: SqlArgument = statements.map((statement) => [statement.sql, statement.parameters]);
    return (await call(on, operation, argument)) as unknown[][];
  }

  async function call(
    on: SqliteThread,
    operation: string,
    argument: unknown,
    bytes?: Buffer,
  ): Promise<unknown> {
    try {
      return await on.run(operation, argument, bytes);
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
  async function recordBatches(batches: readonly Buffer[]): Promise<number | undefined> {
    const argument: RecordBatches = [batches.map(({ length }) => length), clock.now()];
    const events = await call(writer, 'records.batches', argument, Buffer.concat(batches));
    return (events as number | null) ?? undefined;
  }

  const life = {
    async start() {
      if (thread === undefined) await writer.start();
      await reader.start();
    },
    async stop() {
      await reader.stop();
      if (thread === undefined) await writer.stop();
    },
    health: (): Health =>
      faulted !== undefined && clock.now() < faulted.untilMs
        ? { ok: false, reason: faulted.reason }
        : { ok: true },
  };
  return storeOver(sql, clock, life, { recordBatches });
}
