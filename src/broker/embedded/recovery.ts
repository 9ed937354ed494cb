/**
 * What happens to the file when the engine opens it: its lanes are made, and jobs that ran when the last process ended are
 * charged with it. Three such losses make a job a suspect, five more as a suspect a dead letter. In the thread.
 */
import type { Database } from 'better-sqlite3';
import { type Lane, lanes } from '../../job/job.js';
import type { DeathReason, Failure } from '../../job/outcome.js';
import type { Counts } from './counts.js';
import { laneOf } from './places.js';
import { PLACES_PER_LANE } from './schema.js';

export interface Opening {
  /** The lanes to have. */
  readonly lanes: readonly (readonly [queue: string, lane: Lane])[];
  /** What had started and not ended, by place, and the epoch of that record; undefined when there is none. */
  readonly started: { readonly epoch: number; readonly places: readonly number[] } | undefined;
  readonly nowMs: number;
}

export interface Opened {
  readonly lanes: readonly (readonly [id: number, queue: string, lane: string])[];
  readonly lastNumber: number;
  readonly nextDueMs: number | null;
  /** The epoch under which starts are recorded from now on. */
  readonly epoch: number;
  /** Ids of jobs that were moved. */
  readonly suspected: readonly string[];
  readonly buried: readonly string[];
  /** Queues with jobs in the file that are not among the lanes asked for. */
  readonly strangers: readonly string[];
}

/** Places stay whole numbers that JavaScript can hold (2^53). */
const MOST_LANES = 2 ** 53 / PLACES_PER_LANE;
const SUSPECT_AFTER = 3;
const DEAD_AFTER = 5;
const reason: DeathReason = 'delivery_limit';

export function openLanes(
  db: Database,
  counts: Counts,
  opening: Opening,
): Omit<Opened, 'nextDueMs'> & { nextDueMs: null } {
  const insertLane = db.prepare('INSERT INTO lanes (queue, lane) VALUES (?, ?) ON CONFLICT DO NOTHING');
  for (const [queue, lane] of opening.lanes) insertLane.run(queue, lane);
  const all = db
    .prepare<[], [number, string, string, number]>(
      'SELECT id, queue, lane, jobs + delayed + suspects FROM lanes',
    )
    .raw()
    .all();
  if (all.some(([id]) => id >= MOST_LANES))
    throw new Error(
      `the file has had ${MOST_LANES / lanes.length} queues, and holds no more: begin a new one in another DATA_DIR`,
    );
  const asked = new Set(opening.lanes.map(([queue]) => queue));
  const strangers = all
    .filter(([, queue, , jobs]) => jobs > 0 && !asked.has(queue))
    .map(([, queue]) => queue);
  const lastNumber = lastNumberOf(
    db,
    all.map(([id]) => id),
  );
  const charged = charge(db, counts, opening);
  return {
    lanes: all.map(([id, queue, lane]) => [id, queue, lane]),
    lastNumber,
    nextDueMs: null,
    strangers: [...new Set(strangers)],
    ...charged,
  };
}

/** Each record is charged once: its epoch is remembered in the same transaction. */
function charge(db: Database, counts: Counts, { started, nowMs }: Opening) {
  const epoch = db.prepare<[], number>("SELECT value FROM facts WHERE name = 'epoch'").pluck().get() ?? 0;
  const suspected: string[] = [];
  const buried: string[] = [];
  if (started !== undefined && started.epoch > epoch) {
    const lose = db
      .prepare<[number], [number, string]>(
        'UPDATE jobs SET lost = lost + 1 WHERE place = ? RETURNING lost, id',
      )
      .raw();
    const loseSuspect = db
      .prepare<[number], [number, string]>(
        'UPDATE suspects SET lost = lost + 1 WHERE place = ? RETURNING lost, id',
      )
      .raw();
    for (const place of new Set(started.places)) {
      const [lost = 0, id = ''] = lose.get(place) ?? [];
      const [lostAsSuspect = 0, suspect = ''] = loseSuspect.get(place) ?? [];
      if (lost >= SUSPECT_AFTER) {
        suspectJob(db, counts, place);
        suspected.push(id);
      }
      if (lostAsSuspect >= DEAD_AFTER) {
        burySuspect(db, counts, place, nowMs);
        buried.push(suspect);
      }
    }
  }
  const next = Math.max(epoch, started?.epoch ?? 0) + 1;
  // The record of this life has the epoch `next`; it counts because it is above what is written here.
  db.prepare("UPDATE facts SET value = ? WHERE name = 'epoch'").run(next - 1);
  return { epoch: next, suspected, buried };
}

function suspectJob(db: Database, counts: Counts, place: number): void {
  db.prepare(
    'INSERT INTO suspects (place, id, type, headers, body) SELECT place, id, type, headers, body FROM jobs WHERE place = ?',
  ).run(place);
  db.prepare('DELETE FROM jobs WHERE place = ?').run(place);
  const lane = laneOf(place);
  counts.add('jobs', lane, -1);
  counts.add('suspects', lane, 1);
}

function burySuspect(db: Database, counts: Counts, place: number, nowMs: number): void {
  const lane = laneOf(place);
  const failure: Failure = {
    name: 'Lost',
    code: reason,
    message: `the process ended ${SUSPECT_AFTER + DEAD_AFTER} times while this job ran`,
  };
  db.prepare(buryFrom('suspects')).run(null, reason, JSON.stringify(failure), nowMs, lane, place);
  db.prepare('DELETE FROM suspects WHERE place = ?').run(place);
  counts.add('suspects', lane, -1);
  counts.addDead(1);
}

/** Moves one row to the dead letters; parameters: number (null: the next), reason, failure, time, lane, place. */
export function buryFrom(table: 'jobs' | 'suspects'): string {
  return (
    'INSERT INTO dead (number, queue, lane, id, type, headers, body, reason, failure, at) ' +
    `SELECT ?, lanes.queue, lanes.lane, its.id, type, headers, body, ?, ?, ? FROM ${table} AS its, lanes WHERE lanes.id = ? AND place = ?`
  );
}

/** The highest number in use, by the ends of the ranges: no table is read through. */
function lastNumberOf(db: Database, lanes: readonly number[]): number {
  let last = 0;
  for (const table of ['delayed', 'dead', 'batches'])
    last = Math.max(
      last,
      db.prepare<[], number | null>(`SELECT max(number) FROM ${table}`).pluck().get() ?? 0,
    );
  for (const table of ['jobs', 'suspects']) {
    const highest = db
      .prepare<[number, number], number | null>(
        `SELECT max(place) FROM ${table} WHERE place > ? AND place < ?`,
      )
      .pluck();
    for (const lane of lanes) {
      const place = highest.get(lane * PLACES_PER_LANE, (lane + 1) * PLACES_PER_LANE) ?? 0;
      last = Math.max(last, place % PLACES_PER_LANE);
    }
  }
  return last;
}
