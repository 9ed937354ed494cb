/** News of jobs that comes after retention has deleted their rows: the audit accuses nobody of it, and is blind to nothing else. */
import { expect } from 'chai';
import type { EventBatch } from '../../src/job/event.js';
import { auditOf } from '../../src/recorder/audit.js';
import { createUpkeep } from '../../src/recorder/upkeep.js';
import { createLog } from '../../src/runtime/log.js';
import { type AuditReader, createAuditReader } from '../../src/store/audit.js';
import { createLedgers } from '../../src/store/ledgers.js';
import { recordingOf } from '../../src/store/recording.js';
import { createRecordStatements } from '../../src/store/records.js';
import { createRetention } from '../../src/store/retention.js';
import { createManualClock } from '../support/manual-clock.js';
import { accepted, batchOf, deadLettered, idOf, sourceId, started, succeeded } from './support/events.js';
import { everyEngine, type Stores } from './support/stores.js';

const [serve, work, third] = [sourceId('a'), sourceId('b'), sourceId('c')];
const START_MS = Date.UTC(2026, 0, 1);
const AGE_MS = 600_000;

for (const [engine, makeStores] of everyEngine) {
  describe(`news of forgotten jobs, on ${engine}`, () => {
    const stores = makeStores();
    afterEach(() => stores.close());

    it('that comes a second time is no surplus, no lost job, and is forgotten again', async () => {
      const bench = await begin(stores);
      const told = batchOf(serve, 1, [accepted(1), accepted(2)]);
      await bench.tell(told);
      await bench.tell(batchOf(work, 1, [succeeded(1), succeeded(2)]));
      await bench.forget();
      await bench.tell(told);
      expect(await bench.look()).to.deep.equal(['clean', 0, [['job_remade', 2]], []]);
      await bench.forget();
      expect(await bench.look()).to.deep.equal(['clean', 0, [], []]);
      expect(await bench.states()).to.deep.equal({ succeeded: { rows: 0, deleted: 2 } });
    });

    it('that comes for the first time late makes none either', async () => {
      const bench = await begin(stores);
      await bench.tell(batchOf(work, 1, [succeeded(1), succeeded(2)]));
      await bench.forget();
      expect(await bench.look()).to.deep.equal(['clean', 0, [['acceptance_unrecorded', 2]], []]);
      await bench.tell(batchOf(serve, 1, [accepted(1), accepted(2)]));
      expect(await bench.look()).to.deep.equal([
        'clean',
        0,
        [
          ['acceptance_unrecorded', 2],
          ['job_remade', 2],
        ],
        [],
      ]);
      await bench.forget();
      expect((await bench.look()).slice(0, 2)).to.deep.equal(['clean', 0]);
    });

    it('of all kinds, in one batch or in several, ended or not, changes no total', async () => {
      const bench = await begin(stores);
      const batches = [
        batchOf(serve, 1, [accepted(1), started(1), succeeded(1), accepted(2)]),
        batchOf(work, 1, [started(2), succeeded(2), started(3), deadLettered(3)]),
        batchOf(third, 1, [accepted(3), accepted(4), started(4), succeeded(4)]),
      ];
      for (const batch of batches) await bench.tell(batch);
      await bench.forget();
      const before = await bench.states();
      for (const batch of [...batches, ...batches.toReversed()]) await bench.tell(batch);
      expect((await bench.look()).slice(0, 2)).to.deep.equal(['clean', 0]);
      await bench.forget();
      expect(await bench.look()).to.deep.equal(['clean', 0, [], []]);
      expect(await bench.states()).to.deep.equal(before);
    });

    it('hides no job that waits as long as others are forgotten, and none that is new', async () => {
      const bench = await begin(stores);
      await bench.tell(batchOf(serve, 1, [accepted(1), accepted(2)]));
      await bench.tell(batchOf(work, 1, [succeeded(1)]));
      await bench.forget();
      const late = Math.floor(bench.clock.now() - START_MS);
      await bench.tell(batchOf(serve, 2, [accepted(late)]));
      expect((await bench.look())[3], 'they can be proven lost').to.deep.equal([idOf(2), idOf(late)]);
      await bench.tell(batchOf(work, 2, [started(2)]));
      expect((await bench.look())[3]).to.deep.equal([idOf(2), idOf(late)]);
    });

    it('hides no row that somebody has deleted', async () => {
      const bench = await begin(stores);
      await bench.tell(batchOf(serve, 1, [accepted(1), accepted(2)]));
      await bench.tell(batchOf(work, 1, [succeeded(1)]));
      await bench.forget();
      await bench.store.sql.write([
        bench.store.sql.build.deleteFrom('sluice_jobs').where('id', '=', idOf(2)).compile(),
      ]);
      expect((await bench.look()).slice(0, 3)).to.deep.equal(['fault', 1, [['rows_missing', 1]]]);
    });

    it('is looked for once it is old, and not in what comes in the usual course', async () => {
      const bench = await begin(stores);
      const statementsOf = createRecordStatements(bench.store.sql);
      const recording = recordingOf([{ receipt: undefined, events: [accepted(1), succeeded(2)] }]);
      const marks = (nowMs: number): number =>
        statementsOf(recording, nowMs).filter(({ sql }) => sql.includes('sluice_remade')).length;
      expect([marks(START_MS), marks(START_MS + 60_000), marks(START_MS + 60_003)]).to.deep.equal([0, 0, 1]);
    });
  });
}

async function begin(stores: Stores) {
  const store = await stores.open();
  const clock = createManualClock(START_MS + 10_000);
  const reader: AuditReader = createAuditReader(store.sql);
  const statementsOf = createRecordStatements(store.sql);
  const upkeep = createUpkeep({
    ledgers: createLedgers(store.sql),
    retention: createRetention(store.sql),
    idempotency: store.idempotency,
    ageMs: AGE_MS,
    deadAgeMs: AGE_MS,
    jobs: 1_000,
    clock,
    log: createLog('silent'),
  });
  return {
    store,
    clock,
    tell: async ({ events, ...receipt }: EventBatch): Promise<void> => {
      await store.sql.write(statementsOf(recordingOf([{ receipt, events }]), clock.now()));
    },
    /** What has ended by now is deleted, and what was made anew by now as well. */
    async forget(): Promise<void> {
      await clock.advance(AGE_MS + 1_000);
      await upkeep.round();
    },
    /** Verdict, unaccounted, findings, and what could be proven lost; of a broker that holds nothing. */
    async look() {
      const open = await reader.open(100);
      const report = auditOf({
        nowMs: clock.now(),
        books: await reader.books(),
        edited: await reader.edited(10),
        openByQueue: await reader.openByQueue(),
        broker: {
          ready: new Map([['default', open.length]]),
          delayed: 0,
          suspects: 0,
          deadLetters: 0,
          events: 0,
        },
        proof: { state: 'none', provenThrough: null, detail: '' },
        lost: [],
        oldestOpen: [],
      });
      const told = report.findings.filter(({ code }) => code !== 'source_silent'); // For as long as the test waits.
      const findings = told.map(({ code, count }) => [code, count]);
      return [report.verdict, report.unaccounted, findings, open.map(({ id }) => id)] as const;
    },
    async states(): Promise<object> {
      const { rows, deleted } = await reader.books();
      const all = [...new Set([...rows, ...deleted].map(({ state }) => state))].sort();
      const sum = (list: readonly { state: string; count: number }[], state: string): number =>
        list.filter((one) => one.state === state).reduce((total, { count }) => total + count, 0);
      return Object.fromEntries(
        all.map((state) => [state, { rows: sum(rows, state), deleted: sum(deleted, state) }]),
      );
    },
  };
}
