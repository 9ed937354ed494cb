/** Opens one SQLite file in the thread that works on it: its locks, its settings, and the versions of what lies in it. */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Database } from 'better-sqlite3';
import { failureOfError, SqliteFailure } from './sqlite-failure.js';
import type { ThreadData } from './sqlite-messages.js';

type Sqlite = typeof import('better-sqlite3');

export interface OpenedFile {
  readonly db: Database;
  close(): void;
}

/** "Slui"; tells our files from those of other programs (PRAGMA application_id). */
const APPLICATION_ID = 0x536c7569;
const BUSY_TIMEOUT_MS = 5_000;
const LOCK_TIMEOUT_MS = 500;
/** Longer than an exclusive opener tries: it shuts out new sharers meanwhile. */
const SHARED_LOCK_TIMEOUT_MS = 2_000;
const RETRY_MS = 20;
const CACHE_KIB = 32_768;
/** WAL pages after which a commit also tidies the WAL up: often enough that each time is short. */
const CHECKPOINT_PAGES = 2_000;

/** @throws SqliteFailure, or an error of SQLite or of the file system */
export function openFile(Sqlite: Sqlite, data: ThreadData): OpenedFile {
  const { file, use } = data;
  if (use === 'read') {
    const db = new Sqlite(file, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
    db.pragma(`cache_size = -${CACHE_KIB}`);
    return { db, close: () => db.close() };
  }
  mkdirSync(dirname(file), { recursive: true });
  const locks = takeLocks(Sqlite, data);
  const close = (): void => {
    for (const lock of locks) lock.close();
  };
  try {
    refuseRemains(file);
    const db = new Sqlite(file, { timeout: BUSY_TIMEOUT_MS });
    refuse(db, file, data.schemas); // First of all, so that a file that is none of ours is left as it is.
    whileBusy(() => db.pragma('journal_mode = WAL'));
    db.pragma('synchronous = FULL');
    db.pragma(`cache_size = -${CACHE_KIB}`);
    db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    migrate(db, data);
    return {
      db,
      close() {
        db.close();
        close();
      },
    };
  } catch (thrown) {
    close();
    throw thrown;
  }
}

/**
 * Locks on files of their own, so that the data can still be read by other programs. A kill releases them. The engine holds
 * `sluice.lock` alone, those that share the file hold it together; so does a move, which keeps other moves out by a second lock.
 */
function takeLocks(Sqlite: Sqlite, { use, lockFile, moveLockFile }: ThreadData): readonly Database[] {
  const folder = dirname(lockFile);
  if (use === 'alone') {
    return [
      takeLock(Sqlite, lockFile, 'alone', () =>
        isHeldByAnotherEngine(Sqlite, lockFile)
          ? `another Sluice process uses the folder ${folder}, and the built-in engine is one process: stop the other one, ` +
            'set DATA_DIR to another folder, or set AMQP_URL in both to share the work through RabbitMQ'
          : `Sluice processes with AMQP_URL use the folder ${folder}, and the built-in engine needs it alone: stop them, set ` +
            'DATA_DIR to another folder, or set AMQP_URL here, too',
      ),
    ];
  }
  const shared = takeLock(
    Sqlite,
    lockFile,
    'shared',
    () =>
      `a Sluice process without AMQP_URL runs on the folder ${folder}, and its built-in engine needs it alone: stop that one, ` +
      'set AMQP_URL there, too, or set DATA_DIR to another folder',
  );
  if (use === 'shared') return [shared];
  try {
    return [
      shared,
      takeLock(
        Sqlite,
        moveLockFile,
        'alone',
        () => `another \`sluice move\` works on the folder ${folder}: wait for its end, or stop it`,
      ),
    ];
  } catch (thrown) {
    shared.close();
    throw thrown;
  }
}

function takeLock(Sqlite: Sqlite, file: string, kind: 'alone' | 'shared', message: () => string): Database {
  const timeout = kind === 'alone' ? LOCK_TIMEOUT_MS : SHARED_LOCK_TIMEOUT_MS;
  let lock: Database | undefined;
  try {
    lock = new Sqlite(file, { timeout });
    if (kind === 'alone') lock.exec('BEGIN EXCLUSIVE');
    else lock.exec('BEGIN; SELECT count(*) FROM sqlite_schema'); // a read lock lasts as long as its transaction
    return lock;
  } catch (cause) {
    lock?.close();
    const failure = failureOfError(cause, file);
    if (failure.kind === 'corrupt')
      throw new SqliteFailure('foreign', `${file} is not a file of Sluice: remove it, it holds no data`);
    if (failure.kind !== 'busy') throw failure;
    throw new SqliteFailure('in_use', message());
  }
}

/** Only an exclusive lock keeps readers out. */
function isHeldByAnotherEngine(Sqlite: Sqlite, lockFile: string): boolean {
  const lock = new Sqlite(lockFile, { timeout: 0 });
  try {
    lock.exec('SELECT count(*) FROM sqlite_schema');
    return false;
  } catch {
    return true;
  } finally {
    lock.close();
  }
}

/**
 * SQLite would begin anew beside the log of a file that is gone or empty, and throw the log away. And it would go on without
 * a log that is gone: one ends in good order only together with its index, which is removed first.
 */
function refuseRemains(file: string): void {
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

/** Several processes may start at once; SQLite does not wait in every such case by itself. */
function whileBusy(action: () => void): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let triesLeft = BUSY_TIMEOUT_MS / RETRY_MS; ; triesLeft--) {
    try {
      action();
      return;
    } catch (thrown) {
      if (triesLeft <= 0 || failureOfError(thrown, '').kind !== 'busy') throw thrown;
      Atomics.wait(pause, 0, 0, RETRY_MS);
    }
  }
}

/** Looks first, so that a file that is not ours or newer is left alone byte for byte; then again, under the lock of a writer. */
function migrate(db: Database, { file, schemas }: ThreadData): void {
  refuse(db, file, schemas);
  const components = Object.entries(schemas);
  if (components.every(([name, steps]) => versionOf(db, name) === steps.length)) return;
  whileBusy(() =>
    db
      .transaction(() => {
        refuse(db, file, schemas);
        db.pragma(`application_id = ${APPLICATION_ID}`);
        db.exec(
          'CREATE TABLE IF NOT EXISTS sluice_versions (component TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT',
        );
        for (const [name, steps] of components) {
          for (const step of steps.slice(versionOf(db, name))) db.exec(step);
          setVersion(db, name, steps.length);
        }
      })
      .immediate(),
  );
}

function refuse(db: Database, file: string, schemas: ThreadData['schemas']): void {
  const owner = Number(db.pragma('application_id', { simple: true }));
  const isEmpty = db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0;
  if (owner !== APPLICATION_ID && !(isEmpty && versionOf(db, ENGINE) === 0)) {
    throw new SqliteFailure('foreign', `${file} is not a file of Sluice: set DATA_DIR to another folder`);
  }
  for (const [name, steps] of Object.entries(schemas)) {
    const version = versionOf(db, name);
    if (version <= steps.length) continue;
    const of = name === ENGINE ? 'the file' : `its ${name}`;
    throw new SqliteFailure(
      'newer',
      `${file} was written by a newer Sluice (version ${version} of ${of}, this release knows ${steps.length}): ` +
        'run that release, or set DATA_DIR to another folder',
    );
  }
}

/** Its version is the file's `user_version`, as in files from before there were other components. */
const ENGINE = 'engine';

function versionOf(db: Database, component: string): number {
  if (component === ENGINE) return Number(db.pragma('user_version', { simple: true }));
  const hasTable = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'sluice_versions'").get();
  if (hasTable === undefined) return 0;
  const version = db.prepare('SELECT version FROM sluice_versions WHERE component = ?').pluck();
  return Number(version.get(component) ?? 0);
}

function setVersion(db: Database, component: string, version: number): void {
  if (component === ENGINE) {
    db.pragma(`user_version = ${version}`);
    return;
  }
  db.prepare(
    'INSERT INTO sluice_versions VALUES (?, ?) ON CONFLICT (component) DO UPDATE SET version = excluded.version',
  ).run(component, version);
}
