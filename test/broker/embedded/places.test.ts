import Sqlite from 'better-sqlite3';
import { expect } from 'chai';
import fc from 'fast-check';
import { install, type Publish } from '../../../src/broker/embedded/operations.js';
import { laneOf, type Placing } from '../../../src/broker/embedded/places.js';
import type { Opened, Opening } from '../../../src/broker/embedded/recovery.js';
import { schema } from '../../../src/broker/embedded/schema.js';
import type { SqliteOperation } from '../../../src/runtime/sqlite-owner.js';

const body = Buffer.from('{}');
const steps = ['publish', 'delay', 'promote', 'retry', 'reopen'] as const;

describe('the places of jobs in the file', () => {
  it('are told with the last of the lane before them: nothing ever lies between the two', () => {
    const step = fc.record({
      name: fc.constantFrom(...steps),
      inLane: fc.constantFrom(0, 1),
      isUndone: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (all) => {
        const file = openFile();
        const told: Placing[] = [];
        const ever = new Set<number>();
        for (const { name, inLane, isUndone } of all) {
          const placing = file.act[name](file.lanes[inLane] as number, isUndone);
          if (placing !== undefined && !isUndone) told.push(placing);
          for (const place of file.places()) ever.add(place);
        }
        for (const [place, before] of told) {
          expect(laneOf(place)).to.equal(laneOf(before));
          expect([...ever].filter((other) => other > before && other < place)).to.deep.equal([]);
        }
        file.close();
      }),
      { numRuns: 200 },
    );
  });
});

/** The engine's operations on a file in memory, each in a transaction of its own. */
function openFile() {
  const db = new Sqlite(':memory:');
  for (const step of schema) db.exec(step);
  const { operations, beforeCommit, rolledBack } = install(db);
  const opening: Opening = {
    lanes: [
      ['default', 'normal'],
      ['default', 'low'],
    ],
    started: undefined,
    nowMs: 0,
  };

  function run(name: string, argument: unknown, isUndone = false): unknown {
    db.exec('BEGIN');
    const operation = operations[name] as SqliteOperation;
    const result = operation(argument as never, body, () => {});
    if (isUndone) rolledBack?.();
    else beforeCommit?.();
    db.exec(isUndone ? 'ROLLBACK' : 'COMMIT');
    return result;
  }

  const publishOf = (lane: number, due: number): Publish => [lane, due, ['id', 'echo', null]];
  const { lanes } = run('engine.open', opening) as Opened;
  const places = () => db.prepare<[], number>('SELECT place FROM jobs').pluck().all();
  type Act = (lane: number, isUndone: boolean) => Placing | undefined;
  const act: Readonly<Record<(typeof steps)[number], Act>> = {
    publish: (lane, isUndone) => run('engine.publish', publishOf(lane, 0), isUndone) as Placing,
    delay: (lane, isUndone) => void run('engine.publish', publishOf(lane, 1), isUndone),
    promote: (_lane, isUndone) => void run('engine.promote', [1, 2], isUndone),
    retry: (lane, isUndone) =>
      run('engine.retry', [places()[0] ?? 0, publishOf(lane, 0)], isUndone) as Placing | undefined,
    reopen: () => void run('engine.open', opening),
  };
  return { act, places, lanes: lanes.map(([id]) => id), close: () => db.close() };
}
