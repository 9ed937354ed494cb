/** The SQL of the built-in engine, loaded by the thread that owns the file. Each operation is part of a transaction that others share. */
import type { Database } from 'better-sqlite3';
import type { SqliteModule } from '../../runtime/sqlite-owner.js';
import { createCounts } from './counts.js';
import { eventOperations } from './event-operations.js';
import { BATCHES, createPlaces, laneOf, type Placing } from './places.js';
import { buryFrom, type Opened, type Opening, openLanes } from './recovery.js';
import { PLACES_PER_LANE } from './schema.js';

/** A job as it is stored: [id, type, headers as JSON]; its body goes beside it. */
export type Stored = readonly [id: string, type: string, headers: string | null];
/** `due`: ms since the epoch, or 0 when it may go at once. */
export type Publish = readonly [lane: number, due: number, job: Stored];
/** Where a job in hand lies; the sign says which table: above 0 jobs, below 0 suspects (-place). */
export type Place = number;
export type Fetch = readonly [lane: number, after: number, limit: number];
export type Row = readonly [
  place: number,
  id: string,
  type: string,
  headers: string | null,
  lost: number,
  length: number,
];
export interface Fetched {
  readonly rows: readonly Row[];
  /** The bodies, one after the other. */
  readonly bytes: ArrayBuffer;
  /** More than these lay there. */
  readonly isCut: boolean;
}
export type Retry = readonly [place: Place, next: Publish];
export type Bury = readonly [place: Place, reason: string, failure: string, atMs: number];
export type TakeSuspect = readonly [lanes: readonly number[], after: number, inHand: readonly number[]];
export type Promote = readonly [nowMs: number, limit: number];
export interface Promoted {
  /** Lanes that have got jobs. */
  readonly lanes: readonly number[];
  readonly nextDueMs: number | null;
  readonly isCut: boolean;
}
export interface Counted {
  readonly lanes: readonly (readonly [id: number, jobs: number, delayed: number, suspects: number])[];
  readonly dead: number;
  readonly batches: number;
}

/** What a fetch brings and a promote moves at most, in bytes of bodies beyond the first. */
const STEP_BYTES = 4 * 1024 * 1024;

type StoredRow = [
  place: number,
  id: string,
  type: string,
  headers: string | null,
  lost: number,
  body: Buffer,
];

/** @public Called by the thread, which loads this module by its URL. */
export function install(db: Database): SqliteModule {
  const counts = createCounts(db);
  const insertJob = db.prepare<[number, string, string, string | null, Buffer]>(
    'INSERT INTO jobs (place, id, type, headers, body) VALUES (?, ?, ?, ?, ?)',
  );
  const insertDelayed = db.prepare<[number, number, number, string, string, string | null, Buffer]>(
    'INSERT INTO delayed (number, due, lane, id, type, headers, body) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const selectJobs = db
    .prepare<[number, number, number], StoredRow>(
      'SELECT place, id, type, headers, lost, body FROM jobs WHERE place > ? AND place < ? ORDER BY place LIMIT ?',
    )
    .raw();
  const deleteJob = db.prepare<[number]>('DELETE FROM jobs WHERE place = ?');
  const deleteSuspect = db.prepare<[number]>('DELETE FROM suspects WHERE place = ?');
  const buryJob = db.prepare<[number, string, string, number, number, number]>(buryFrom('jobs'));
  const burySuspect = db.prepare<[number, string, string, number, number, number]>(buryFrom('suspects'));
  const selectSuspects = db
    .prepare<[number], StoredRow>(
      'SELECT place, id, type, headers, lost, body FROM suspects WHERE place > ? ORDER BY place',
    )
    .raw();
  const selectDue = db
    .prepare<[number, number], [number, number, number]>(
      'SELECT number, lane, length(body) FROM delayed WHERE due <= ? ORDER BY due, number LIMIT ?',
    )
    .raw();
  const promoteOne = db.prepare<[number, number]>(
    'INSERT INTO jobs (place, id, type, headers, body) SELECT ?, id, type, headers, body FROM delayed WHERE number = ?',
  );
  const deleteDelayed = db.prepare<[number]>('DELETE FROM delayed WHERE number = ?');
  const selectNextDue = db.prepare<[], number | null>('SELECT min(due) FROM delayed').pluck();
  const selectCounts = db
    .prepare<[], [number, number, number, number]>('SELECT id, jobs, delayed, suspects FROM lanes')
    .raw();
  const selectFact = db.prepare<[string], number>('SELECT value FROM facts WHERE name = ?').pluck();
  const places = createPlaces();

  function store([lane, due, [id, type, headers]]: Publish, body: Buffer): Placing | undefined {
    if (due === 0) {
      const placing = places.next(lane);
      insertJob.run(placing[0], id, type, headers, body);
      counts.add('jobs', lane, 1);
      return placing;
    }
    insertDelayed.run(places.nextNumber(), due, lane, id, type, headers, body);
    counts.add('delayed', lane, 1);
    return undefined;
  }

  /** False when it is gone already: an earlier try of the same was stored although its answer said otherwise. */
  function remove(place: Place): boolean {
    const isSuspect = place < 0;
    const { changes } = isSuspect ? deleteSuspect.run(-place) : deleteJob.run(place);
    counts.add(isSuspect ? 'suspects' : 'jobs', laneOf(place), -changes);
    return changes === 1;
  }

  function pack(rows: readonly StoredRow[], isCut: boolean, handOver: (block: ArrayBuffer) => void): Fetched {
    const block = new Uint8Array(rows.reduce((total, row) => total + row[5].length, 0));
    let at = 0;
    for (const row of rows) {
      block.set(row[5], at);
      at += row[5].length;
    }
    handOver(block.buffer);
    return {
      rows: rows.map(([place, id, type, headers, lost, body]) => [
        place,
        id,
        type,
        headers,
        lost,
        body.length,
      ]),
      bytes: block.buffer,
      isCut,
    };
  }

  return {
    operations: {
      'engine.open'(opening: Opening): Opened {
        const opened = openLanes(db, counts, opening);
        places.open(opened.lastNumber);
        return { ...opened, nextDueMs: selectNextDue.get() ?? null };
      },
      'engine.publish': store,
      'engine.fetch'([lane, after, limit]: Fetch, _bytes: Buffer, handOver: (block: ArrayBuffer) => void) {
        const rows: StoredRow[] = [];
        let size = 0;
        for (const row of selectJobs.iterate(after, (lane + 1) * PLACES_PER_LANE, limit)) {
          size += row[5].length;
          if (size > STEP_BYTES && rows.length > 0) return pack(rows, true, handOver);
          rows.push(row);
        }
        return pack(rows, rows.length === limit, handOver);
      },
      'engine.ack'(place: Place): void {
        remove(place);
      },
      'engine.retry'([place, next]: Retry, body: Buffer): Placing | undefined {
        return remove(place) ? store(next, body) : undefined;
      },
      'engine.bury'([place, reason, failure, atMs]: Bury): void {
        (place < 0 ? burySuspect : buryJob).run(
          places.nextNumber(),
          reason,
          failure,
          atMs,
          laneOf(place),
          Math.abs(place),
        );
        if (remove(place)) counts.addDead(1);
      },
      'engine.suspect'(
        [lanes, after, inHand]: TakeSuspect,
        _bytes: Buffer,
        handOver: (block: ArrayBuffer) => void,
      ): Fetched {
        for (const start of [after, 0]) {
          for (const row of selectSuspects.iterate(start)) {
            if (lanes.includes(laneOf(row[0])) && !inHand.includes(row[0]))
              return pack([row], true, handOver);
          }
        }
        return pack([], false, handOver);
      },
      'engine.promote'([nowMs, limit]: Promote): Promoted {
        const due = selectDue.all(nowMs, limit);
        const moved = new Set<number>();
        let steps = 0;
        let size = 0;
        for (const [old, lane, length] of due) {
          size += length;
          if (size > STEP_BYTES && steps > 0) break;
          steps += 1;
          moved.add(lane);
          promoteOne.run(places.next(lane)[0], old);
          deleteDelayed.run(old);
          counts.add('delayed', lane, -1);
          counts.add('jobs', lane, 1);
        }
        return {
          lanes: [...moved],
          nextDueMs: selectNextDue.get() ?? null,
          isCut: due.length === limit || steps < due.length,
        };
      },
      'engine.count'(): Counted {
        counts.write();
        return {
          lanes: selectCounts.all(),
          dead: selectFact.get('dead') ?? 0,
          batches: selectFact.get('batches') ?? 0,
        };
      },
      ...eventOperations(db, counts, () => places.next(BATCHES)),
    },
    beforeCommit: () => counts.write(),
    rolledBack: () => counts.forget(),
  };
}
