/**
 * The main thread's side of one SQLite file: gathers operations into batches, each one transaction of the thread that owns
 * the file (group commit). A batch leaves at the end of this turn of the loop when none is under way, else when the last
 * one is answered: small when quiet, large when busy, and no timer.
 */
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { type Clock, sleep } from './clock.js';
import type { Log } from './log.js';
import type { Service } from './service.js';
import { SqliteFailure } from './sqlite-failure.js';
import {
  type Answer,
  messageOf,
  type Operation,
  type SqliteUse,
  startOwner,
  type ThreadData,
} from './sqlite-messages.js';

export interface SqliteThreadOptions {
  /** Made when missing. */
  readonly folder: string;
  /** Whether other processes may have the folder, too; a process that does not go with them is refused at start. Default: `alone`. */
  readonly use?: SqliteUse;
  /**
   * By component, as each has versions of its own in the one file: `engine`, `store`. SQL of each version, from 1; a step that was
   * ever released is never changed, only followed by others.
   */
  readonly schemas: Readonly<Record<string, readonly string[]>>;
  /** URLs of modules that the thread loads; each exports `install` (`SqliteModule`). Operation names must be unique. */
  readonly modules: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  /** The thread has ended by itself. Everything under way has been rejected. */
  readonly failed: (error: SqliteFailure) => void;
}

export interface SqliteThread extends Service {
  /** The file, for messages. */
  readonly file: string;
  /**
   * Resolves with the operation's result once its batch is committed and on the disk. `bytes` are copied at the end of
   * this turn of the loop: do not change them before.
   * @throws SqliteFailure
   */
  run(operation: string, argument: unknown, bytes?: Uint8Array): Promise<unknown>;
  /** Ends the thread at once, as a kill of the process would: what is not committed is lost. */
  terminate(): Promise<void>;
}

interface Waiting extends Operation {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

const MOST_OPERATIONS = 1024;
const MOST_BYTES = 8 * 1024 * 1024;
const STOP_PATIENCE_MS = 10_000;

export function createSqliteThread(options: SqliteThreadOptions): SqliteThread {
  const { folder, clock, log } = options;
  const file = join(folder, 'sluice.db');
  let worker: Worker | undefined;
  let state: 'new' | 'running' | 'stopping' | 'ended' = 'new';
  let codes = new Map<string, number>();
  let waiting: Waiting[] = [];
  let underWay: readonly Waiting[] | undefined;
  let isScheduled = false;
  let emptied = (): void => {};

  function schedule(): void {
    if (isScheduled || underWay !== undefined) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      send();
    });
  }

  function send(): void {
    if (underWay !== undefined || state === 'ended' || waiting.length === 0) return;
    const batch = takeBatch();
    underWay = batch;
    const message = messageOf(batch);
    worker?.postMessage(message, message.bytes === undefined ? [] : [message.bytes]);
  }

  function takeBatch(): readonly Waiting[] {
    let count = 0;
    for (let bytes = 0; count < waiting.length && count < MOST_OPERATIONS; count++) {
      bytes += waiting[count]?.bytes?.length ?? 0;
      if (bytes > MOST_BYTES && count > 0) break;
    }
    if (count < waiting.length) return waiting.splice(0, count);
    const batch = waiting;
    waiting = [];
    return batch;
  }

  function answered({ results, failures }: Extract<Answer, { kind: 'done' }>): void {
    const batch = underWay ?? [];
    underWay = undefined;
    send(); // Before the results are acted upon, so that the disk works meanwhile.
    for (let i = 0; i < batch.length; i++) {
      const failure = failures?.[i];
      if (failure === undefined) batch[i]?.resolve(results[i]);
      else batch[i]?.reject(new SqliteFailure(failure.kind, failure.message));
    }
    if (underWay === undefined && waiting.length === 0) emptied();
  }

  function end(error: SqliteFailure): void {
    state = 'ended';
    const rest = [...(underWay ?? []), ...waiting];
    underWay = undefined;
    waiting = [];
    for (const one of rest) one.reject(error);
    emptied();
  }

  function open(): Promise<void> {
    const data: ThreadData = {
      file,
      lockFile: join(folder, 'sluice.lock'),
      moveLockFile: join(folder, 'sluice.move.lock'),
      use: options.use ?? 'alone',
      schemas: options.schemas,
      modules: options.modules,
    };
    const made = startOwner(data);
    worker = made;
    return new Promise((resolve, reject) => {
      made.on('message', (answer: Answer) => {
        switch (answer.kind) {
          case 'ready':
            codes = new Map(answer.operations.map((name, code) => [name, code]));
            state = 'running';
            resolve();
            return;
          case 'refused':
            reject(new SqliteFailure(answer.failure.kind, answer.failure.message));
            return;
          case 'done':
            answered(answer);
            return;
        }
      });
      made.on('error', (cause) => {
        log.error({ err: cause }, 'the thread of the SQLite file has failed');
        lost(
          new SqliteFailure('ended', `the thread that owns ${file} has failed: ${cause.message}`, { cause }),
        );
      });
      made.on('exit', () => lost(new SqliteFailure('ended', `the thread that owns ${file} has ended`)));
      function lost(error: SqliteFailure): void {
        const isUnexpected = state === 'running';
        reject(error);
        end(error);
        if (isUnexpected) options.failed(error);
      }
    });
  }

  let started: Promise<void> | undefined;
  let stopped: Promise<void> | undefined;

  async function close(): Promise<void> {
    await started?.catch(() => {});
    if (state !== 'running') return terminate();
    const isEmpty = new Promise<void>((resolve) => {
      emptied = resolve;
      if (underWay === undefined && waiting.length === 0) resolve();
    });
    const late = new AbortController();
    await Promise.race([isEmpty, sleep(clock, STOP_PATIENCE_MS, late.signal)]);
    state = 'stopping';
    const exited = new Promise<void>((resolve) => worker?.once('exit', () => resolve()));
    worker?.postMessage('close');
    await Promise.race([exited, sleep(clock, STOP_PATIENCE_MS, late.signal)]);
    late.abort();
    await terminate();
  }

  async function terminate(): Promise<void> {
    if (state !== 'ended') state = 'stopping';
    await worker?.terminate();
    end(new SqliteFailure('ended', `${file} is closed`));
  }

  return {
    file,
    start() {
      started ??= stopped === undefined ? open() : Promise.resolve();
      return started;
    },
    stop() {
      stopped ??= close();
      return stopped;
    },
    run(operation, argument, bytes) {
      const code = codes.get(operation);
      if (state !== 'running')
        return Promise.reject(
          new SqliteFailure('ended', `${file} is ${state === 'new' ? 'not open yet' : 'closed'}`),
        );
      if (code === undefined) return Promise.reject(new Error(`no module has the operation ${operation}`));
      return new Promise((resolve, reject) => {
        waiting.push({ operation: code, argument, bytes, resolve, reject });
        schedule();
      });
    },
    terminate,
  };
}
