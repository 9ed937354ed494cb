/** The thread that owns one SQLite file: opens, locks and migrates it, loads the modules that know SQL, and runs batches. */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { Database } from 'better-sqlite3';
import { failureOfError, SqliteFailure } from './sqlite-failure.js';
import type { Answer, Batch, FailureMessage, ThreadData } from './sqlite-messages.js';

/**
 * One operation, inside a transaction that others share. `bytes` is a view of the batch's block: it is gone after the
 * call. `handOver` sends a block in the result without a copy. Throws to fail alone; its changes are undone.
 */
export type SqliteOperation = (
  argument: never,
  bytes: Buffer,
  handOver: (block: ArrayBuffer) => void,
) => unknown;

/** What `install(db)` of a module returns. */
export interface SqliteModule {
  readonly operations: Readonly<Record<string, SqliteOperation>>;
  /** Called before each commit, to write what is kept in memory during a batch. */
  beforeCommit?(): void;
  /** Called after a transaction was undone, to forget it. */
  rolledBack?(): void;
}

const port = parentPort;
if (port === null) throw new Error('this file runs in a worker thread');
const { file, lockFile, schema, modules } = workerData as ThreadData;

/** "Slui"; tells our files from those of other programs (PRAGMA application_id). */
const APPLICATION_ID = 0x536c7569;
const BUSY_TIMEOUT_MS = 5_000;
const LOCK_TIMEOUT_MS = 500;
const CACHE_KIB = 32_768;
/** WAL pages after which a commit also tidies the WAL up: often enough that each time is short. */
const CHECKPOINT_PAGES = 2_000;

/** So many of one kind have found no room: the rest of that kind in the batch is not tried, which could take long. */
const MOST_TOO_LARGE = 8;

interface Opened {
  readonly db: Database;
  readonly lock: Database;
  readonly modules: readonly SqliteModule[];
  readonly operations: readonly SqliteOperation[];
  readonly names: readonly string[];
}

async function open(): Promise<Opened> {
  const { default: Sqlite } = await import('better-sqlite3');
  mkdirSync(dirname(file), { recursive: true });
  const lock = takeLock(Sqlite);
  refuseRemains();
  const db = new Sqlite(file, { timeout: BUSY_TIMEOUT_MS });
  const version = versionOf(db); // First of all, so that a file that is none of ours is left as it is.
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma(`cache_size = -${CACHE_KIB}`);
  db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  migrate(db, version);
  const installed: SqliteModule[] = [];
  for (const url of modules) {
    const { install } = (await import(url)) as { install: (db: Database) => SqliteModule };
    installed.push(install(db));
  }
  const all = installed.flatMap((module) => Object.entries(module.operations));
  return {
    db,
    lock,
    modules: installed,
    operations: all.map(([, operation]) => operation),
    names: all.map(([name]) => name),
  };
}

/** An exclusive lock on a file of its own, so that the data can still be read by other programs. A kill releases it. */
function takeLock(Sqlite: typeof import('better-sqlite3')): Database {
  let lock: Database | undefined;
  try {
    lock = new Sqlite(lockFile, { timeout: LOCK_TIMEOUT_MS });
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (cause) {
    lock?.close();
    const failure = failureOfError(cause, lockFile);
    if (failure.kind === 'corrupt')
      throw new SqliteFailure('foreign', `${lockFile} is not a file of Sluice: remove it, it holds no data`);
    if (failure.kind !== 'busy') throw failure;
    throw new SqliteFailure(
      'in_use',
      `another Sluice process uses the folder ${dirname(file)}, and the built-in engine is one process: stop the other one, ` +
        'set DATA_DIR to another folder, or set AMQP_URL in both to share the work through RabbitMQ',
    );
  }
}

/**
 * SQLite would begin anew beside the log of a file that is gone or empty, and throw the log away. And it would go on without
 * a log that is gone: one ends in good order only together with its index, which is removed first.
 */
function refuseRemains(): void {
  const log = `${file}-wal`;
  const bytesOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (bytesOf(file) === 0 && bytesOf(log) > 0)
    throw new SqliteFailure(
      'corrupt',
      `${file} is ${existsSync(file) ? 'empty' : 'missing'}, but its log ${log} is there: put the file back; to start empty, move the folder away`,
    );
  if (existsSync(file) && existsSync(`${file}-shm`) && !existsSync(log))
    throw new SqliteFailure(
      'corrupt',
      `${log} is missing, and with it what was written last: put it back; to go on without it, remove ${file}-shm`,
    );
}

/** @throws SqliteFailure  `foreign`, `newer` */
function versionOf(db: Database): number {
  const version = Number(db.pragma('user_version', { simple: true }));
  const owner = Number(db.pragma('application_id', { simple: true }));
  const isEmpty = db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0;
  if (owner !== APPLICATION_ID && !(isEmpty && version === 0)) {
    throw new SqliteFailure('foreign', `${file} is not a file of Sluice: set DATA_DIR to another folder`);
  }
  if (version > schema.length) {
    throw new SqliteFailure(
      'newer',
      `${file} was written by a newer Sluice (version ${version} of the file, this release knows ${schema.length}): ` +
        'run that release, or set DATA_DIR to another folder',
    );
  }
  return version;
}

function migrate(db: Database, version: number): void {
  for (let next = version; next < schema.length; next++) {
    db.transaction(() => {
      db.exec(schema[next] ?? '');
      db.pragma(`application_id = ${APPLICATION_ID}`);
      db.pragma(`user_version = ${next + 1}`);
    })();
  }
}

function runBatch(
  opened: Opened,
  batch: Batch,
): Extract<Answer, { kind: 'done' }> & { blocks: ArrayBuffer[] } {
  const blocks: ArrayBuffer[] = [];
  const all = batch.operations.map((_, i) => i);
  try {
    return { kind: 'done', results: transact(opened, batch, all, blocks), blocks };
  } catch (thrown) {
    const failure = failureMessage(thrown);
    blocks.length = 0;
    if (failure.kind !== 'fault' && failure.kind !== 'full')
      return { kind: 'done', results: [], failures: all.map(() => failure), blocks };
  }
  // One of them failed by itself, or needs more room than there is: each gets a transaction of its own, so that it fails
  // alone. On a full disk what ends a job still goes through, and makes room.
  const tooLarge = new Map<number, number>();
  const results: unknown[] = [];
  const failures: (FailureMessage | undefined)[] = [];
  for (const i of all) {
    const kind = batch.operations[i] ?? -1;
    const sofar = tooLarge.get(kind) ?? 0;
    try {
      if (sofar >= MOST_TOO_LARGE) throw new SqliteFailure('full', `no space is left for ${file}`);
      results[i] = transact(opened, batch, [i], blocks)[i];
      failures[i] = undefined;
    } catch (thrown) {
      failures[i] = failureMessage(thrown);
      if (failures[i]?.kind === 'full') tooLarge.set(kind, sofar + 1);
    }
  }
  return { kind: 'done', results, failures, blocks };
}

/** Runs the operations `indexes` of the batch in one transaction. */
function transact(
  opened: Opened,
  batch: Batch,
  indexes: readonly number[],
  blocks: ArrayBuffer[],
): unknown[] {
  const { db, operations } = opened;
  const results: unknown[] = new Array(batch.operations.length);
  const handOver = (block: ArrayBuffer): void => void blocks.push(block);
  const before = blocks.length;
  const ends = offsetsOf(batch.lengths);
  db.exec('BEGIN');
  try {
    for (const i of indexes) {
      const operation = operations[batch.operations[i] ?? -1] as SqliteOperation;
      const length = batch.lengths[i] ?? -1;
      const bytes = length <= 0 ? nothing : Buffer.from(batch.bytes as ArrayBuffer, ends[i], length);
      results[i] = operation(batch.arguments[i] as never, bytes, handOver);
    }
    for (const module of opened.modules) module.beforeCommit?.();
    db.exec('COMMIT');
    return results;
  } catch (thrown) {
    blocks.length = before;
    for (const module of opened.modules) module.rolledBack?.(); // First: a rollback can fail, too.
    if (db.inTransaction) db.exec('ROLLBACK'); // SQLite has done it by itself when the disk is full or failed.
    throw thrown;
  }
}

const nothing = Buffer.alloc(0);

function offsetsOf(lengths: readonly number[]): number[] {
  let at = 0;
  return lengths.map((length) => {
    const offset = at;
    at += Math.max(length, 0);
    return offset;
  });
}

function failureMessage(thrown: unknown): FailureMessage {
  const { kind, message } = failureOfError(thrown, file);
  return { kind, message };
}

try {
  const opened = await open();
  port.on('message', (message: Batch | 'close') => {
    if (message === 'close') {
      opened.db.close();
      opened.lock.close();
      port.close();
      return;
    }
    const { blocks, ...answer } = runBatch(opened, message);
    port.postMessage(answer satisfies Answer, blocks);
  });
  port.postMessage({ kind: 'ready', operations: opened.names } satisfies Answer);
} catch (thrown) {
  port.postMessage({ kind: 'refused', failure: failureMessage(thrown) } satisfies Answer);
  port.close();
}
