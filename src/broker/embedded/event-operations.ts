/** The SQL of event batches and of dead letters as events, part of the engine's module in the thread that owns the file. */
import type { Database } from 'better-sqlite3';
import type { SqliteModule } from '../../runtime/sqlite-owner.js';
import type { Counts } from './counts.js';
import type { DeathColumns } from './letters.js';
import type { Placing } from './places.js';

export type FetchEvents = readonly [after: number, limit: number];

interface Fetched<Row> {
  readonly rows: readonly Row[];
  /** The batches or bodies, one after the other. */
  readonly bytes: ArrayBuffer;
  /** More than these lay there. */
  readonly isCut: boolean;
}
export type FetchedBatches = Fetched<{ readonly number: number; readonly length: number }>;
export type FetchedLetters = Fetched<LetterRow>;
export interface LetterRow {
  readonly number: number;
  readonly id: string;
  readonly type: string;
  readonly headers: string | null;
  readonly death: DeathColumns;
  readonly length: number;
}

/** What a fetch brings at most, in bytes beyond the first row. */
const STEP_BYTES = 4 * 1024 * 1024;

type BatchColumns = [number: number, batch: Buffer];
type LetterColumns = [number, string, string, string | null, ...DeathColumns, Buffer];

/** @param nextPlace  of a new row: above all that were ever used while the file is open */
export function eventOperations(
  db: Database,
  counts: Counts,
  nextPlace: () => Placing,
): SqliteModule['operations'] {
  const insertBatch = db.prepare<[number, Buffer]>('INSERT INTO batches (number, batch) VALUES (?, ?)');
  const selectBatches = db
    .prepare<[number, number], BatchColumns>(
      'SELECT number, batch FROM batches WHERE number > ? ORDER BY number LIMIT ?',
    )
    .raw();
  const deleteBatch = db.prepare<[number]>('DELETE FROM batches WHERE number = ?');
  const selectLetters = db
    .prepare<[number, number], LetterColumns>(
      'SELECT number, id, type, headers, queue, lane, reason, failure, at, body FROM dead WHERE number > ? ORDER BY number LIMIT ?',
    )
    .raw();
  const deleteLetter = db.prepare<[number]>('DELETE FROM dead WHERE number = ?');

  return {
    'events.publish'(_argument: undefined, batch: Buffer): Placing {
      const placing = nextPlace();
      insertBatch.run(placing[0], batch);
      counts.addBatches(1);
      return placing;
    },
    'events.fetch'([after, limit]: FetchEvents, _bytes: Buffer, handOver: (block: ArrayBuffer) => void) {
      const found = take(selectBatches.iterate(after, limit), limit, (row) => row[1]);
      return pack(
        found,
        ([number, batch]) => ({ number, length: batch.length }),
        (row) => row[1],
        handOver,
      ) satisfies FetchedBatches;
    },
    'events.ack'(number: number): void {
      counts.addBatches(-deleteBatch.run(number).changes);
    },
    'dead.fetch'([after, limit]: FetchEvents, _bytes: Buffer, handOver: (block: ArrayBuffer) => void) {
      const found = take(selectLetters.iterate(after, limit), limit, (row) => row[9]);
      return pack(
        found,
        ([number, id, type, headers, queue, lane, reason, failure, at, body]) => ({
          number,
          id,
          type,
          headers,
          death: [queue, lane, reason, failure, at] as const,
          length: body.length,
        }),
        (row) => row[9],
        handOver,
      ) satisfies FetchedLetters;
    },
    'dead.ack'(number: number): void {
      counts.addDead(-deleteLetter.run(number).changes);
    },
  };
}

interface Taken<Columns> {
  readonly taken: readonly Columns[];
  readonly isCut: boolean;
}

function take<Columns>(
  rows: Iterable<Columns>,
  limit: number,
  bytesOf: (row: Columns) => Buffer,
): Taken<Columns> {
  const taken: Columns[] = [];
  let size = 0;
  for (const row of rows) {
    size += bytesOf(row).length;
    if (size > STEP_BYTES && taken.length > 0) return { taken, isCut: true };
    taken.push(row);
  }
  return { taken, isCut: taken.length === limit };
}

function pack<Columns, Row>(
  { taken, isCut }: Taken<Columns>,
  rowOf: (row: Columns) => Row,
  bytesOf: (row: Columns) => Buffer,
  handOver: (block: ArrayBuffer) => void,
): Fetched<Row> {
  const block = new Uint8Array(taken.reduce((total, row) => total + bytesOf(row).length, 0));
  let at = 0;
  for (const row of taken) {
    block.set(bytesOf(row), at);
    at += bytesOf(row).length;
  }
  handOver(block.buffer);
  return { rows: taken.map(rowOf), bytes: block.buffer, isCut };
}
