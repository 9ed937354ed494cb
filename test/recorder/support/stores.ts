/** Real stores for tests: an SQLite file of its own, and a database of its own on one private PostgreSQL server. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/runtime/clock.js';
import { createLog } from '../../../src/runtime/log.js';
import { createPostgresStore } from '../../../src/store/postgres.js';
import type { SqlStore } from '../../../src/store/sql-store.js';
import { createSqliteStore } from '../../../src/store/sqlite.js';
import { type PostgresServer, startPostgres } from '../../support/postgres.js';

export interface Stores {
  /** A started, empty store; another one on the same data with `beside`. */
  open(beside?: SqlStore): Promise<SqlStore>;
  close(): Promise<void>;
}

const log = createLog('silent');

export function sqliteStores(): Stores {
  const folders = new Map<string, string>();
  const opened: SqlStore[] = [];
  return {
    async open(beside) {
      const folder = beside
        ? (folders.get(beside.place) ?? '')
        : await mkdtemp(join(tmpdir(), 'sluice-recorder-'));
      const store = createSqliteStore({ folder, clock: systemClock, log, failed() {} });
      await store.start();
      folders.set(store.place, folder);
      opened.push(store);
      return store;
    },
    async close() {
      for (const store of opened) await store.stop();
      for (const folder of folders.values()) await rm(folder, { recursive: true });
    },
  };
}

export function postgresStores(): Stores {
  let server: Promise<PostgresServer> | undefined;
  const urls = new Map<SqlStore, string>();
  return {
    async open(beside) {
      server ??= startPostgres();
      const url = (beside && urls.get(beside)) ?? (await (await server).createDatabase());
      const store = createPostgresStore({ url, connections: 4, clock: systemClock, log });
      await store.start();
      urls.set(store, url);
      return store;
    },
    async close() {
      for (const store of urls.keys()) await store.stop();
      await (await server)?.remove();
    },
  };
}

export const everyEngine = [
  ['SQLite', sqliteStores],
  ['PostgreSQL', postgresStores],
] as const;
