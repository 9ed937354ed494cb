/** The store in PostgreSQL. Connections come back by themselves; while there are none, everything rejects with `StoreUnavailable`. */
import pg from 'pg';
import { Invalid, type StoreUnavailable } from '../job/errors.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import { builderOf } from './builders.js';
import { isOfSettings, leavesConnectionUsable, mayRunAgain, storeErrorOf } from './postgres-failure.js';
import { migrate, NewerSchema } from './postgres-migrations.js';
import type { Sql, Statement } from './sql.js';
import { type SqlStore, storeOver } from './sql-store.js';

export interface PostgresStoreOptions {
  readonly url: string;
  /** Connections for what writes; reads have as many of their own, so that slow ones delay no write. Default: 2. */
  readonly connections?: number;
  /** The server gives up a statement after this time, and we a connection that is silent for a third longer. Default: 15 s. */
  readonly statementTimeoutMs?: number;
  readonly clock: Clock;
  readonly log: Log;
}

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 15_000;
const START_PATIENCE_MS = 5_000;
const END_PATIENCE_MS = 3_000;
const MOST_TRIES = 5;
const RETRY_MS = 1_000;

/**
 * `start` resolves within seconds though the database may be away: then it is migrated as soon as it is there.
 * @throws Invalid  from `start`, when no waiting mends it: password, missing rights, a newer schema
 */
export function createPostgresStore(options: PostgresStoreOptions): SqlStore {
  const { url, clock, log } = options;
  const place = placeOf(url);
  const writers = poolOf(options);
  const readers = poolOf(options);
  const stopping = new AbortController();
  let isMigrated = false;
  let fault: StoreUnavailable | undefined;
  let mending: Promise<void> | undefined;

  async function on<T>(pool: pg.Pool, use: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    try {
      if (!isMigrated) await bringUp();
      const result = await withClient(pool, use);
      fault = undefined;
      return result;
    } catch (thrown) {
      const error = storeErrorOf(thrown, place);
      if (error.code === 'store_unavailable') {
        fault = error;
        mend();
      }
      throw error;
    }
  }

  let bringing: Promise<void> | undefined;

  /** Connects and migrates; several callers share one try. */
  function bringUp(): Promise<void> {
    bringing ??= withClient(writers, migrate)
      .then(() => {
        isMigrated = true;
      })
      .finally(() => {
        bringing = undefined;
      });
    return bringing;
  }

  /** Tries until it works again, so that `health` tells the present and a database that was away at start gets its tables. */
  function mend(): void {
    mending ??= (async () => {
      while (fault !== undefined && !stopping.signal.aborted) {
        await sleep(clock, RETRY_MS, stopping.signal);
        if (stopping.signal.aborted) return;
        try {
          if (!isMigrated) await bringUp();
          await withClient(readers, (client) => client.query('select 1'));
          fault = undefined;
          log.info({ place }, 'the database is back');
        } catch (thrown) {
          fault = storeErrorOf(thrown, place);
        }
      }
    })().finally(() => {
      mending = undefined;
    });
  }

  const sql: Sql = {
    dialect: 'postgres',
    place,
    build: builderOf('postgres'),
    read: <Row>(query: Statement<Row>) =>
      on(readers, async (client) => (await client.query(queryOf(query))).rows as Row[]),
    write: (statements) => on(writers, (client) => transact(client, statements)),
  };

  let started: Promise<void> | undefined;
  let stopped: Promise<void> | undefined;

  async function start(): Promise<void> {
    if (stopped !== undefined) return;
    const patience = new AbortController();
    const first = bringUp().catch((thrown) => {
      const error = storeErrorOf(thrown, place);
      if (thrown instanceof NewerSchema || isOfSettings(thrown))
        throw new Invalid('bad_settings', error.message, { cause: thrown });
      fault = error as StoreUnavailable;
      log.warn({ err: error }, 'the database cannot be used; trying again until it can');
      mend();
    });
    await Promise.race([first, sleep(clock, START_PATIENCE_MS, patience.signal)]).finally(() =>
      patience.abort(),
    );
  }

  async function stop(): Promise<void> {
    stopping.abort();
    await Promise.all([endPool(writers, clock), endPool(readers, clock)]);
    await mending;
  }

  return storeOver(sql, clock, {
    start() {
      started ??= start();
      return started;
    },
    stop() {
      stopped ??= stop();
      return stopped;
    },
    health() {
      if (fault !== undefined) return { ok: false, reason: fault.message };
      return isMigrated ? { ok: true } : { ok: false, reason: `no answer yet from the database at ${place}` };
    },
  });
}

/** Whole numbers and sums come as texts from `pg`, for some would not fit; ours do, and are below 2^53. */
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8 || oid === pg.types.builtins.NUMERIC
      ? Number
      : pg.types.getTypeParser(oid, format),
};

function poolOf({
  url,
  connections: max = 2,
  statementTimeoutMs = STATEMENT_TIMEOUT_MS,
  log,
}: PostgresStoreOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    application_name: 'sluice',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: statementTimeoutMs,
    query_timeout: Math.ceil((statementTimeoutMs * 4) / 3),
    idle_in_transaction_session_timeout: statementTimeoutMs,
    keepAlive: true,
    types: types as pg.CustomTypesConfig,
  });
  const clients = new Set<pg.PoolClient>();
  clientsOf.set(pool, clients);
  pool.on('connect', (client) => clients.add(client));
  pool.on('remove', (client) => clients.delete(client));
  // A connection that ends while nobody uses it: the next use opens another.
  pool.on('error', (err) => log.warn({ err }, 'a connection to the database has ended'));
  return pool;
}

const clientsOf = new WeakMap<pg.Pool, Set<pg.PoolClient>>();

/** In good order, or at last without the server's answer: it may be frozen, or behind a dead network. */
async function endPool(pool: pg.Pool, clock: Clock): Promise<void> {
  const clients = clientsOf.get(pool) ?? new Set();
  const late = new AbortController();
  const ended = pool.end().finally(() => late.abort());
  await Promise.race([ended, sleep(clock, END_PATIENCE_MS, late.signal)]);
  for (const client of clients) (client as unknown as WithStream).connection.stream.destroy();
}

interface WithStream {
  readonly connection: { readonly stream: { destroy(): void } };
}

async function withClient<T>(pool: pg.Pool, use: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let isUsable = false;
  // While it is ours the pool does not listen, and an error nobody listens to would end the process.
  const ignore = (): void => {};
  client.on('error', ignore);
  try {
    const result = await use(client);
    isUsable = true;
    return result;
  } catch (thrown) {
    isUsable = leavesConnectionUsable(thrown);
    throw thrown;
  } finally {
    client.off('error', ignore);
    client.release(!isUsable);
  }
}

async function transact(client: pg.PoolClient, statements: readonly Statement[]): Promise<unknown[][]> {
  for (let tries = 1; ; tries++) {
    try {
      // One statement is a transaction of its own.
      if (statements.length === 1)
        return [(await client.query(queryOf(statements[0] as Statement))).rows as unknown[]];
      await client.query('begin');
      const results: unknown[][] = [];
      for (const statement of statements)
        results.push((await client.query(queryOf(statement))).rows as unknown[]);
      await client.query('commit');
      return results;
    } catch (thrown) {
      if (statements.length > 1 && leavesConnectionUsable(thrown)) await client.query('rollback');
      if (!mayRunAgain(thrown) || tries === MOST_TRIES) throw thrown;
    }
  }
}

function queryOf({ sql, parameters, name }: Statement): pg.QueryConfig<unknown[]> {
  const values = parameters.map(storable);
  return name === undefined ? { text: sql, values } : { name, text: sql, values };
}

/** PostgreSQL holds no U+0000 in a text, and one such character must not cost a job its row. JSON was escaped before. */
function storable(value: unknown): unknown {
  if (typeof value === 'string') return value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value;
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}

function placeOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host || 'the local socket'}${pathname}`;
}
