/** Picks the store; what is not picked is not loaded. */
import type { Config } from '../config.js';
import { systemClock as clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { SqliteThread } from '../runtime/sqlite-thread.js';
import type { SqlStore } from '../store/sql-store.js';
import { failed } from './engine.js';

/** @param thread  of the built-in engine on `folder`; absent beside RabbitMQ */
export async function createStore(
  config: Config,
  folder: string,
  log: Log,
  thread?: SqliteThread,
): Promise<SqlStore> {
  if (config.databaseUrl !== undefined) {
    const { createPostgresStore } = await import('../store/postgres.js');
    return createPostgresStore({ url: config.databaseUrl.reveal(), clock, log });
  }
  const { createSqliteStore } = await import('../store/sqlite.js');
  return createSqliteStore({ folder, ...(thread === undefined ? {} : { thread }), clock, log, failed });
}
