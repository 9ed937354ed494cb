/** Real stores for tests: an SQLite file of its own, and a database of its own in PostgreSQL. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/runtime/clock.js';
import { createLog } from '../../../src/runtime/log.js';
import { createPostgresStore } from '../../../src/store/postgres.js';
import type { SqlStore } from '../../../src/store/sql-store.js';
import { createSqliteStore } from '../../../src/store/sqlite.js';
import { freshDatabase } from '../../support/postgres.js';

export interface Stores {
  /** A started, empty store; another one on the same data with `beside`. */
  open(beside?: SqlStore): Promise<SqlStore>;
  /** Of PostgreSQL: where it is. */
  urlOf?(store: SqlStore): string | undefined;
  /** Stops those that were opened since, and removes their files. */
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
      for (const store of opened.splice(0)) await store.stop();
      for (const folder of folders.values()) await rm(folder, { recursive: true });
      folders.clear();
    },
  };
}

export function postgresStores(): Stores {
  const urls = new Map<SqlStore, string>();
  return {
    async open(beside) {
      const url = (beside && urls.get(beside)) ?? (await freshDatabase());
      const store = createPostgresStore({ url, connections: 4, clock: systemClock, log });
      await store.start();
      urls.set(store, url);
      return store;
    },
    urlOf: (store) => urls.get(store),
    async close() {
      for (const store of urls.keys()) await store.stop();
      urls.clear();
    },
  };
}

export const everyEngine = [
  ['SQLite', sqliteStores],
  ['PostgreSQL', postgresStores],
] as const;
