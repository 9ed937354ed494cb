/** What every store has to do, whatever database it stands on: one suite, run against each. */
import { expect } from 'chai';
import { StoreRefused } from '../../src/job/errors.js';
import type { SqlStore } from '../../src/store/sql-store.js';
import { rejectionOf } from '../broker/inbox.js';
import { exerciseReaders } from './conformance-readers.js';
import { exerciseRecords } from './conformance-records.js';
import { exerciseRegisters } from './conformance-registers.js';
import { accepted, jobNumber, recordingOf } from './rows.js';

/** One database, empty at first. */
export interface StorePlace {
  /** Another store on it, as another process would have; not started. */
  make(): SqlStore;
  remove(): Promise<void>;
}

export interface Bench {
  /** Started; stopped and its data deleted after the test. */
  readonly store: SqlStore;
  /** A second one on the same data. */
  another(): Promise<SqlStore>;
}

export function exerciseStore(name: string, open: () => Promise<StorePlace>): void {
  describe(`the store on ${name}`, () => {
    let place: StorePlace;
    let stores: SqlStore[];
    const bench: Bench = {
      get store() {
        return stores[0] as SqlStore;
      },
      async another() {
        const store = place.make();
        stores.push(store);
        await store.start();
        return store;
      },
    };
    beforeEach(async () => {
      place = await open();
      stores = [];
      await bench.another();
    });
    afterEach(async () => {
      await Promise.all(stores.map((store) => store.stop()));
      await place.remove();
    });

    exerciseRecords(bench);
    exerciseReaders(bench);
    exerciseRegisters(bench);

    it('keeps what it has when it is opened again, and by a second opener', async () => {
      const job = jobNumber(1);
      await bench.store.records.record(recordingOf([accepted(job)]));
      const second = await bench.another();
      expect(await second.jobs.get(job.id)).to.have.nested.property('row.state', 'queued');
      await second.records.record(recordingOf([accepted(jobNumber(2))]));
      expect((await bench.store.jobs.list({}, { limit: 10, nowMs: 0 })).rows).to.have.length(2);
    });

    it('is migrated once by several openers at the same time', async () => {
      const fresh = await open();
      const openers = Array.from({ length: 6 }, () => fresh.make());
      try {
        await Promise.all(openers.map((store) => store.start()));
        const job = jobNumber(1);
        await Promise.all(openers.map((store) => store.records.record(recordingOf([accepted(job)]))));
        for (const store of openers) expect(store.health()).to.deep.equal({ ok: true });
      } finally {
        await Promise.all(openers.map((store) => store.stop()));
        await fresh.remove();
      }
    });

    it('stops before it was started, and twice', async () => {
      const store = place.make();
      await Promise.all([store.stop(), store.stop()]);
      await store.start();
      await store.stop();
    });

    it('refuses content that the database does not take, as such, and nothing of that recording is left', async () => {
      const [good, bad] = [jobNumber(1), jobNumber(2)];
      const recording = recordingOf([accepted(good), accepted(bad)]);
      const rows = recording.rows.map((row) =>
        row.id === bad.id ? { ...row, run: 'first' as unknown as number } : row,
      );
      expect(await rejectionOf(bench.store.records.record({ ...recording, rows }))).to.be.instanceOf(
        StoreRefused,
      );
      expect(await bench.store.jobs.get(good.id)).to.equal(undefined);
      expect(bench.store.health()).to.deep.equal({ ok: true });
      await bench.store.records.record(recordingOf([accepted(good)]));
      expect(await bench.store.jobs.get(good.id)).not.to.equal(undefined);
    });
  });
}
