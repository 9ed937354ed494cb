/** The thread that works on one SQLite file: opens it, loads the modules that know SQL, and runs batches. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Database, Statement } from 'better-sqlite3';
import { failureOfError, SqliteFailure, type SqliteFailureKind } from './sqlite-failure.js';
import { type OpenedFile, openFile } from './sqlite-file.js';
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
const data = workerData as ThreadData;
const { file } = data;

/** Others may write the file, too: whoever means to write says so at once, and waits for its turn. */
const beginText = data.use === 'read' ? 'BEGIN' : 'BEGIN IMMEDIATE';

/** So many of one kind have found no room: the rest of that kind in the batch is not tried, which could take long. */
const MOST_TOO_LARGE = 8;

interface Opened extends OpenedFile {
  readonly begin: Statement<[]>;
  readonly commit: Statement<[]>;
  readonly modules: readonly SqliteModule[];
  readonly operations: readonly SqliteOperation[];
  readonly names: readonly string[];
}

async function open(): Promise<Opened> {
  const { default: Sqlite } = await import('better-sqlite3');
  const opened = openFile(Sqlite, data);
  const installed: SqliteModule[] = [];
  for (const url of data.modules) {
    const { install } = (await import(url)) as { install: (db: Database) => SqliteModule };
    installed.push(install(opened.db));
  }
  const all = installed.flatMap((module) => Object.entries(module.operations));
  return {
    ...opened,
    begin: opened.db.prepare(beginText),
    commit: opened.db.prepare('COMMIT'),
    modules: installed,
    operations: all.map(([, operation]) => operation),
    names: all.map(([name]) => name),
  };
}

/** Kinds of failure that say nothing about the neighbours in a batch. */
const failsAlone: ReadonlySet<SqliteFailureKind> = new Set(['fault', 'content', 'full', 'corrupt']);

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
    if (!failsAlone.has(failure.kind))
      return { kind: 'done', results: [], failures: all.map(() => failure), blocks };
  }
  // One of them failed by itself, met a damaged page, or needs more room than there is: each gets a transaction of its own, so
  // that it fails alone. On a full disk what ends a job still goes through, and makes room.
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
  const { db, operations, begin, commit } = opened;
  const results: unknown[] = new Array(batch.operations.length);
  const handOver = (block: ArrayBuffer): void => void blocks.push(block);
  const before = blocks.length;
  const ends = offsetsOf(batch.lengths);
  begin.run();
  try {
    for (const i of indexes) {
      const operation = operations[batch.operations[i] ?? -1] as SqliteOperation;
      const length = batch.lengths[i] ?? -1;
      const bytes = length <= 0 ? nothing : Buffer.from(batch.bytes as ArrayBuffer, ends[i], length);
      results[i] = operation(batch.arguments[i] as never, bytes, handOver);
    }
    for (const module of opened.modules) module.beforeCommit?.();
    commit.run();
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
      opened.close();
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
