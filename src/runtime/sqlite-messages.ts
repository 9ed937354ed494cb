/** What the main thread and the owner of the SQLite file say to each other, and how the owner is started. */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { SqliteFailureKind } from './sqlite-failure.js';

export interface Operation {
  /** Its number in the list that the owner announces. */
  readonly operation: number;
  readonly argument: unknown;
  readonly bytes: Uint8Array | undefined;
}

/** What goes to the thread. `lengths[i]` bytes of `bytes` belong to operation i, -1 when it has none. */
export interface Batch {
  readonly operations: readonly number[];
  readonly arguments: readonly unknown[];
  readonly lengths: readonly number[];
  readonly bytes: ArrayBuffer | undefined;
}

export interface FailureMessage {
  readonly kind: SqliteFailureKind;
  readonly message: string;
}

export type Answer =
  | { readonly kind: 'ready'; readonly operations: readonly string[] }
  | { readonly kind: 'refused'; readonly failure: FailureMessage }
  /** `failures[i]` is set where operation i failed; absent when none did. */
  | {
      readonly kind: 'done';
      readonly results: readonly unknown[];
      readonly failures?: readonly (FailureMessage | undefined)[];
    };

/**
 * `alone`: no other process may have the folder. `shared`: several processes write the file in turns. `move`: as `shared`, but
 * one such at a time. `read`: writes nothing, beside a writer of the same process; no locks, no migration.
 */
export type SqliteUse = 'alone' | 'shared' | 'move' | 'read';

export interface ThreadData {
  readonly file: string;
  readonly lockFile: string;
  readonly moveLockFile: string;
  readonly use: SqliteUse;
  readonly schemas: Readonly<Record<string, readonly string[]>>;
  readonly modules: readonly string[];
}

/** The bodies of a batch go as one block that is handed over, not copied again: each view of its own would be cloned. */
export function messageOf(batch: readonly Operation[]): Batch {
  let total = 0;
  for (const { bytes } of batch) total += bytes?.length ?? 0;
  const block = total === 0 ? undefined : new Uint8Array(total);
  const message = {
    operations: new Array<number>(batch.length),
    arguments: new Array<unknown>(batch.length),
    lengths: new Array<number>(batch.length),
    bytes: block?.buffer,
  };
  let at = 0;
  batch.forEach(({ operation, argument, bytes }, i) => {
    message.operations[i] = operation;
    message.arguments[i] = argument;
    message.lengths[i] = bytes?.length ?? -1;
    if (bytes === undefined || block === undefined) return;
    block.set(bytes, at);
    at += bytes.length;
  });
  return message;
}

/** Compiled, the thread's file stands beside this one. Run from source, the thread needs the loader first (Node 20 does not hand it on). */
export function startOwner(workerData: ThreadData): Worker {
  if (!import.meta.url.endsWith('.ts'))
    return new Worker(new URL('./sqlite-owner.js', import.meta.url), { workerData, execArgv: [] });
  // By its path: the package's own names lead to what does nothing in a thread, or to what only ESM may load.
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx/package.json'));
  const loader = JSON.stringify(new URL('dist/esm/api/index.mjs', tsx).href);
  const owner = JSON.stringify(new URL('./sqlite-owner.ts', import.meta.url).href);
  const source = `import(${loader}).then(({ register }) => { register(); return import(${owner}); });`;
  return new Worker(source, { eval: true, workerData, execArgv: [] });
}
