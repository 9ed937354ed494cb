/**
 * Records batches of events in the thread that writes the SQLite file. They come as bytes: the loop that takes requests in neither
 * decodes nor folds them, and no row is cloned from thread to thread.
 */
import type { Database } from 'better-sqlite3';
import { Undecodable } from '../job/errors.js';
import { decodeBatch } from '../job/event-codec.js';
import type { SqliteModule } from '../runtime/sqlite-owner.js';
import { builderOf } from './builders.js';
import { type Part, recordingOf } from './recording.js';
import { createRecordStatements } from './records.js';
import { createRun } from './sqlite-operations.js';

/** The batches lie in the bytes, one after the other. */
export type RecordBatches = readonly [lengths: readonly number[], nowMs: number];

/** @public Called by the thread, which loads this module by its URL. */
export function install(db: Database): SqliteModule {
  const run = createRun(db);
  const statementsOf = createRecordStatements({ build: builderOf('sqlite'), dialect: 'sqlite' });
  return {
    operations: {
      /** How many events were in them; null: one of them cannot be read, and none is recorded. */
      'records.batches'([lengths, nowMs]: RecordBatches, bytes: Buffer): number | null {
        const parts = partsIn(bytes, lengths);
        if (parts === undefined) return null;
        run(statementsOf(recordingOf(parts), nowMs).map(({ sql, parameters }) => [sql, parameters]));
        return parts.reduce((sum, { events }) => sum + events.length, 0);
      },
    },
  };
}

function partsIn(bytes: Buffer, lengths: readonly number[]): Part[] | undefined {
  let at = 0;
  try {
    return lengths.map((length) => {
      const { events, ...receipt } = decodeBatch(bytes.subarray(at, at + length));
      at += length;
      return { receipt, events };
    });
  } catch (error) {
    if (error instanceof Undecodable) return undefined;
    throw error;
  }
}
