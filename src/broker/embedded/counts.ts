/** Keeps the counts of the tables exact: added up in memory during a transaction, written before its commit. In the thread. */
import type { Database } from 'better-sqlite3';

export type Counted = 'jobs' | 'delayed' | 'suspects';

export interface Counts {
  add(table: Counted, lane: number, by: number): void;
  addDead(by: number): void;
  addBatches(by: number): void;
  write(): void;
  forget(): void;
}

export function createCounts(db: Database): Counts {
  const updateLane = db.prepare<[number, number, number, number]>(
    'UPDATE lanes SET jobs = jobs + ?, delayed = delayed + ?, suspects = suspects + ? WHERE id = ?',
  );
  const updateFact = db.prepare<[number, string]>('UPDATE facts SET value = value + ? WHERE name = ?');
  const lanes = new Map<number, Record<Counted, number>>();
  let dead = 0;
  let batches = 0;

  function clear(): void {
    lanes.clear();
    dead = 0;
    batches = 0;
  }

  return {
    add(table, lane, by) {
      let counts = lanes.get(lane);
      if (counts === undefined) {
        counts = { jobs: 0, delayed: 0, suspects: 0 };
        lanes.set(lane, counts);
      }
      counts[table] += by;
    },
    addDead(by) {
      dead += by;
    },
    addBatches(by) {
      batches += by;
    },
    write() {
      for (const [lane, { jobs, delayed, suspects }] of lanes) {
        if (jobs !== 0 || delayed !== 0 || suspects !== 0) updateLane.run(jobs, delayed, suspects, lane);
      }
      if (dead !== 0) updateFact.run(dead, 'dead');
      if (batches !== 0) updateFact.run(batches, 'batches');
      clear();
    },
    forget: clear,
  };
}
