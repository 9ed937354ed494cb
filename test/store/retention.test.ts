import { expect } from 'chai';
import { sql as raw } from 'kysely';
import pg from 'pg';
import type { EventBatch } from '../../src/job/event.js';
import { enter } from '../../src/recorder/ledger.js';
import { createAuditReader } from '../../src/store/audit.js';
import { createLedgers } from '../../src/store/ledgers.js';
import { recordingOf } from '../../src/store/recording.js';
import { createRetention, settledStates } from '../../src/store/retention.js';
import type { SqlStore } from '../../src/store/sql-store.js';
import {
  accepted,
  batchOf,
  deadLettered,
  idOf,
  sourceId,
  started,
  succeeded,
} from '../recorder/support/events.js';
import { everyEngine } from '../recorder/support/stores.js';

const a = sourceId('a');
const FAR_MS = Date.UTC(2030, 0, 1);

for (const [engine, makeStores] of everyEngine) {
  describe(`what the store forgets, on ${engine}`, () => {
    const stores = makeStores();
    afterEach(() => stores.close());

    it('deletes finished jobs with all that belongs to them, and keeps them in the totals', async () => {
      const store = await stores.open();
      await record(
        store,
        batchOf(a, 1, [accepted(1), accepted(2), accepted(3), started(3), deadLettered(4)]),
      );
      await record(store, batchOf(a, 2, [succeeded(1), succeeded(2), started(5)]));
      const retention = createRetention(store.sql);
      expect(await retention.deleteJobs([...settledStates], FAR_MS, 10)).to.equal(2);
      expect(await retention.deleteJobs(['dead'], FAR_MS, 10)).to.equal(1);
      expect(await rowsOf(store, 'sluice_jobs', 'id')).to.have.members([idOf(3), idOf(5)]);
      expect(await rowsOf(store, 'sluice_payloads', 'id')).to.deep.equal([]);
      expect(await rowsOf(store, 'sluice_attempts', 'id')).to.deep.equal([]);
      const { deleted } = await createAuditReader(store.sql).books();
      expect(deleted).to.have.deep.members([
        { state: 'succeeded', count: 2, accepted: 2 },
        { state: 'dead', count: 1, accepted: 0 },
      ]);
    });

    it('deletes the oldest first, no more than it is told, and none that finished later', async () => {
      const store = await stores.open();
      const ends = [1, 2, 3, 4, 5].map((n) => succeeded(n, { atMs: 1_000 + n }));
      await record(store, batchOf(a, 1, ends));
      const retention = createRetention(store.sql);
      expect(await retention.deleteJobs(['succeeded'], 1_004, 2)).to.equal(2);
      expect(await rowsOf(store, 'sluice_jobs', 'id')).to.have.members([3, 4, 5].map(idOf));
      expect(await retention.deleteJobs(['succeeded'], 1_004, 2)).to.equal(1);
      expect(await retention.deleteJobs(['succeeded'], 1_004, 2)).to.equal(0);
    });

    it('knows before when jobs finished that are too many', async () => {
      const store = await stores.open();
      const ends = [1, 2, 3, 4, 5].map((n) => succeeded(n, { atMs: 1_000 + n }));
      await record(store, batchOf(a, 1, ends));
      const retention = createRetention(store.sql);
      expect(await retention.finishedBeforeNewest(5)).to.equal(undefined);
      expect(await retention.finishedBeforeNewest(3)).to.equal(1_003);
    });

    it('counts each deleted row once when several recorders delete at once', async () => {
      const store = await stores.open();
      const others = [store, await stores.open(store)];
      for (let seq = 0; seq < 10; seq++) {
        const ends = Array.from({ length: 100 }, (_, n) => succeeded(seq * 100 + n + 1));
        await record(store, batchOf(a, seq + 1, ends));
      }
      const deleted = await Promise.all(
        Array.from({ length: 40 }, (_, i) =>
          createRetention((others[i % 2] as SqlStore).sql).deleteJobs(['succeeded'], FAR_MS, 50),
        ),
      );
      const sum = deleted.reduce((total, count) => total + count, 0);
      const { deleted: totals } = await createAuditReader(store.sql).books();
      expect(totals).to.deep.equal([{ state: 'succeeded', count: sum, accepted: 0 }]);
      expect((await rowsOf(store, 'sluice_jobs', 'id')).length).to.equal(1_000 - sum);
    });

    it('forgets what is in quarantine by its age, in steps, and keeps what is younger', async () => {
      const store = await stores.open();
      for (let n = 1; n <= 5; n++)
        await store.records.quarantine({
          origin: 'events',
          reason: 'no JSON',
          raw: Buffer.from(`${n}`),
          atMs: n * 10,
        });
      const retention = createRetention(store.sql);
      expect(await retention.deleteQuarantined(10, 2)).to.equal(0);
      expect(await retention.deleteQuarantined(40, 2)).to.equal(2);
      expect(await retention.deleteQuarantined(40, 2)).to.equal(1);
      expect(await retention.deleteQuarantined(40, 2)).to.equal(0);
      expect(await rowsOf(store, 'sluice_quarantine', 'at_ms')).to.have.members([40, 50]);
    });

    it('keeps a job whose replay may be on its way', async () => {
      const store = await stores.open();
      await record(store, batchOf(a, 1, [deadLettered(1)]));
      await store.registers.claimReplay(idOf(1), 1, FAR_MS, FAR_MS + 1_000);
      expect(await createRetention(store.sql).deleteJobs(['dead'], FAR_MS, 10)).to.equal(0);
    });

    it('forgets cancel requests some time after their runs have ended, and no others', async () => {
      const store = await stores.open();
      const ended = succeeded(2, { atMs: 1_500 });
      await record(store, batchOf(a, 1, [accepted(1), accepted(2), ended, { ...accepted(4), run: 2 }]));
      for (const n of [1, 2, 3, 4]) await store.registers.cancel(idOf(n), 1, 1_000);
      const left = async (endedBeforeMs: number, orphansBeforeMs: number) => {
        await createRetention(store.sql).deleteCancels(endedBeforeMs, orphansBeforeMs, 10);
        return rowsOf(store, 'sluice_cancels', 'id');
      };
      expect(await left(1_000, 500)).to.have.members([1, 2, 3, 4].map(idOf));
      expect(await left(1_500, 500)).to.have.members([1, 2, 3].map(idOf));
      expect(await left(1_501, 500)).to.have.members([1, 3].map(idOf));
      expect(await left(1_501, 2_000)).to.deep.equal([idOf(1)]);
    });

    it('still orders to cancel what has just ended: its delivery may come again', async () => {
      const store = await stores.open();
      await store.registers.cancel(idOf(1), 1, 1_000);
      await record(store, batchOf(a, 1, [accepted(1), succeeded(1)]));
      expect((await store.registers.orders()).cancels).to.deep.equal([{ id: idOf(1), run: 1 }]);
    });

    if (engine === 'PostgreSQL')
      it('passes over jobs that another transaction has locked', async () => {
        const store = await stores.open();
        await record(store, batchOf(a, 1, [succeeded(1), succeeded(2), succeeded(3)]));
        const client = new pg.Client(stores.urlOf?.(store));
        await client.connect();
        try {
          await client.query('begin');
          await client.query('select 1 from sluice_jobs where id = $1 for update', [idOf(1)]);
          expect(await createRetention(store.sql).deleteJobs(['succeeded'], FAR_MS, 2)).to.equal(2);
          expect(await rowsOf(store, 'sluice_jobs', 'id')).to.deep.equal([idOf(1)]);
        } finally {
          await client.end();
        }
      });

    it('makes up the books of a source once, however many recorders do so at once', async () => {
      const store = await stores.open();
      const both = [store, await stores.open(store)];
      for (const seq of [1, 2, 3, 5]) await record(store, batchOf(a, seq, [accepted(seq)]));
      const close = async (one: SqlStore, version: string): Promise<void> => {
        const ledgers = createLedgers(one.sql);
        for (const open of await ledgers.open(100))
          await ledgers.close(open, enter(open.ledger, open.batches, 7), version);
      };
      await Promise.all(Array.from({ length: 8 }, (_, i) => close(both[i % 2] as SqlStore, `v${i}`)));
      const { sources } = await createAuditReader(store.sql).books();
      expect(sources[0]?.ledger).to.deep.equal({
        through: 5,
        accepted: 4,
        acceptedAgain: 0,
        gaps: [{ first: 4, last: 4, sinceMs: 7 }],
      });
      expect(sources[0]?.batches).to.deep.equal([]);

      // The missing one comes late, and another one again.
      await record(store, batchOf(a, 4, [accepted(4)]));
      await record(store, batchOf(a, 2, [accepted(2)]));
      await close(store, 'late');
      const [late] = (await createAuditReader(store.sql).books()).sources;
      expect([late?.ledger.accepted, late?.ledger.gaps, late?.batches]).to.deep.equal([5, [], []]);
    });

    it('changes nothing when somebody else has made up the books meanwhile', async () => {
      const store = await stores.open();
      const ledgers = createLedgers(store.sql);
      await record(store, batchOf(a, 1, [accepted(1)]));
      const [early] = await ledgers.open(100);
      await record(store, batchOf(a, 2, [accepted(2)]));
      const [late] = await ledgers.open(100);
      if (early === undefined || late === undefined) throw new Error('no books are open');
      await ledgers.close(late, enter(late.ledger, late.batches, 7), 'late');
      await record(store, batchOf(a, 1, [accepted(1)])); // It comes again.
      await ledgers.close(early, enter(early.ledger, early.batches, 7), 'early');
      const [source] = (await createAuditReader(store.sql).books()).sources;
      expect([source?.ledger.through, source?.ledger.accepted, source?.batches.length]).to.deep.equal([
        2, 2, 1,
      ]);
    });

    it('forgets sources that said goodbye and lack nothing, and keeps what they accepted', async () => {
      const store = await stores.open();
      const [b, c] = [sourceId('b'), sourceId('c')];
      await record(store, batchOf(a, 1, [accepted(1), accepted(2)], { isLast: true }));
      await record(store, batchOf(b, 1, [accepted(3)]));
      await record(store, batchOf(c, 2, [accepted(4)], { isLast: true }));
      const ledgers = createLedgers(store.sql);
      await ledgers.forget(FAR_MS, 0, 'too early');
      for (const open of await ledgers.open(100))
        await ledgers.close(open, enter(open.ledger, open.batches, 7), `of ${open.source}`);
      await Promise.all([ledgers.forget(FAR_MS, 0, 'one'), ledgers.forget(FAR_MS, 0, 'two')]);
      const books = await createAuditReader(store.sql).books();
      expect(books.sources.map(({ source }) => source)).to.have.members([b, c]);
      expect(books.forgotten).to.deep.equal({ accepted: 2, acceptedAgain: 0 });
    });
  });
}

async function record(store: SqlStore, { events, ...receipt }: EventBatch): Promise<void> {
  await store.records.record(recordingOf([{ receipt, events }]));
}

async function rowsOf(store: SqlStore, table: string, column: string): Promise<unknown[]> {
  const query = raw`select ${raw.ref(column)} as found from ${raw.table(table)}`.compile(store.sql.build);
  return (await store.sql.read<{ readonly found: unknown }>(query)).map(({ found }) => found);
}
