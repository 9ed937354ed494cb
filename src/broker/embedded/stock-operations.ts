/** The SQL that moves the stock of the built-in engine in and out, loaded by the thread that owns the file. */
import type { Database } from 'better-sqlite3';
import type { SqliteModule } from '../../runtime/sqlite-owner.js';
import { createCounts } from './counts.js';
import type { DeathColumns } from './letters.js';
import type { Stored } from './operations.js';
import { createPlaces, laneOf } from './places.js';
import { type Opened, type Opening, openLanes } from './recovery.js';
import { PLACES_PER_LANE } from './schema.js';

/** In the order in which they are moved. */
export const tables = ['jobs', 'suspects', 'delayed', 'dead'] as const;
export type Table = (typeof tables)[number];

/** Reads on behind the row with this due time (0 in tables that have none) and key. */
export type Read = readonly [table: Table, afterDue: number, afterKey: number, limit: number];
/** `lane` is 0 and `death` there in the table of dead letters alone. */
export interface StockRow {
  readonly key: number;
  readonly due: number;
  readonly lane: number;
  readonly id: string;
  readonly type: string;
  readonly headers: string | null;
  readonly death: DeathColumns | undefined;
  readonly length: number;
}
export interface StockRows {
  readonly rows: readonly StockRow[];
  /** The bodies, one after the other. */
  readonly bytes: ArrayBuffer;
}
export type Remove = readonly [table: Table, key: number];
export type PutJob = readonly [table: Exclude<Table, 'dead'>, lane: number, due: number, job: Stored];
export type PutDead = readonly [letter: Stored, death: DeathColumns];
export interface StockCount {
  readonly lanes: readonly (readonly [queue: string, jobs: number, delayed: number, suspects: number])[];
  readonly dead: number;
}

/** What a read brings at most, in bytes of bodies beyond the first. */
const READ_BYTES = 4 * 1024 * 1024;

type Columns = [number, number, number, string, string, string | null, ...DeathColumns, Buffer];

const noDeath = 'NULL, NULL, NULL, NULL, NULL';
const selects: Readonly<Record<Table, string>> = {
  jobs: `SELECT place, 0, place / ${PLACES_PER_LANE}, id, type, headers, ${noDeath}, body FROM jobs
    WHERE ? = 0 AND place > ? ORDER BY place LIMIT ?`,
  suspects: `SELECT place, 0, place / ${PLACES_PER_LANE}, id, type, headers, ${noDeath}, body FROM suspects
    WHERE ? = 0 AND place > ? ORDER BY place LIMIT ?`,
  delayed: `SELECT number, due, lane, id, type, headers, ${noDeath}, body FROM delayed
    WHERE (due, number) > (?, ?) ORDER BY due, number LIMIT ?`,
  dead: `SELECT number, 0, 0, id, type, headers, queue, lane, reason, failure, at, body FROM dead
    WHERE ? = 0 AND number > ? ORDER BY number LIMIT ?`,
};

/** @public Called by the thread, which loads this module by its URL. */
export function install(db: Database): SqliteModule {
  const counts = createCounts(db);
  const read = mapTables((table) => db.prepare<[number, number, number], Columns>(selects[table]).raw());
  const remove = mapTables((table) => {
    const key = table === 'jobs' || table === 'suspects' ? 'place' : 'number';
    return db
      .prepare<[number], number | null>(
        `DELETE FROM ${table} WHERE ${key} = ? RETURNING ${table === 'delayed' ? 'lane' : 'NULL'}`,
      )
      .pluck();
  });
  const insertPlaced = {
    jobs: db.prepare<[number, string, string, string | null, Buffer]>(
      'INSERT INTO jobs (place, id, type, headers, body) VALUES (?, ?, ?, ?, ?)',
    ),
    suspects: db.prepare<[number, string, string, string | null, Buffer]>(
      'INSERT INTO suspects (place, id, type, headers, body) VALUES (?, ?, ?, ?, ?)',
    ),
  };
  const insertDelayed = db.prepare<[number, number, number, string, string, string | null, Buffer]>(
    'INSERT INTO delayed (number, due, lane, id, type, headers, body) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const insertDead = db.prepare<[string, string, string | null, ...DeathColumns, Buffer]>(
    'INSERT INTO dead (id, type, headers, queue, lane, reason, failure, at, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const selectLanes = db
    .prepare<[], [string, number, number, number]>('SELECT queue, jobs, delayed, suspects FROM lanes')
    .raw();
  const selectDead = db.prepare<[], number>("SELECT value FROM facts WHERE name = 'dead'").pluck();
  const places = createPlaces();

  return {
    operations: {
      'stock.open'(opening: Opening): Opened {
        const opened = openLanes(db, counts, opening);
        places.open(opened.lastNumber);
        return opened;
      },
      'stock.count'(): StockCount {
        counts.write();
        return { lanes: selectLanes.all(), dead: selectDead.get() ?? 0 };
      },
      'stock.read'(
        [table, afterDue, afterKey, limit]: Read,
        _bytes: Buffer,
        handOver: (block: ArrayBuffer) => void,
      ): StockRows {
        const found: Columns[] = [];
        let size = 0;
        for (const row of read[table].iterate(afterDue, afterKey, limit)) {
          size += row[11].length;
          if (size > READ_BYTES && found.length > 0) break;
          found.push(row);
        }
        return pack(found, table === 'dead', handOver);
      },
      'stock.remove'([table, key]: Remove): void {
        const lane = remove[table].get(key);
        if (lane === undefined) return;
        if (table === 'dead') counts.addDead(-1);
        else counts.add(table, lane ?? laneOf(key), -1);
      },
      'stock.put'([table, lane, due, [id, type, headers]]: PutJob, body: Buffer): void {
        if (table === 'delayed') insertDelayed.run(places.nextNumber(), due, lane, id, type, headers, body);
        else insertPlaced[table].run(places.next(lane)[0], id, type, headers, body);
        counts.add(table, lane, 1);
      },
      'stock.putDead'([[id, type, headers], death]: PutDead, body: Buffer): void {
        insertDead.run(id, type, headers, ...death, body);
        counts.addDead(1);
      },
    },
    beforeCommit: () => counts.write(),
    rolledBack: () => counts.forget(),
  };
}

function mapTables<Value>(of: (table: Table) => Value): Readonly<Record<Table, Value>> {
  return { jobs: of('jobs'), suspects: of('suspects'), delayed: of('delayed'), dead: of('dead') };
}

function pack(found: readonly Columns[], isDead: boolean, handOver: (block: ArrayBuffer) => void): StockRows {
  const block = new Uint8Array(found.reduce((total, row) => total + row[11].length, 0));
  let at = 0;
  const rows = found.map(([key, due, lane, id, type, headers, ...rest]): StockRow => {
    const [queue, laneName, reason, failure, atMs, body] = rest;
    block.set(body, at);
    at += body.length;
    const death = isDead ? ([queue, laneName, reason, failure, atMs] as const) : undefined;
    return { key, due, lane, id, type, headers, death, length: body.length };
  });
  handOver(block.buffer);
  return { rows, bytes: block.buffer };
}
