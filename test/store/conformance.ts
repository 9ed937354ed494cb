/** What every store has to do, whatever database it stands on: one suite, run against each. */
import { expect } from 'chai';
import { StoreRefused } from '../../src/job/errors.js';
import type { SqlStore } from '../../src/store/sql-store.js';
import { rejectionOf } from '../broker/inbox.js';
import { exerciseReaders } from './conformance-readers.js';
import { exerciseRecords } from './conformance-records.js';
import { exerciseRedrives } from './conformance-redrives.js';
import { exerciseRegisters } from './conformance-registers.js';
import { clear, type StorePair } from './pair.js';
import { accepted, jobNumber, recordingOf } from './rows.js';

/** One database, empty at first. */
export interface StorePlace {
  /** Another store on it, as another process would have; not started. */
  make(): SqlStore;
  remove(): Promise<void>;
}

export function exerciseStore(name: string, open: () => Promise<StorePlace>): void {
  describe(`the store on ${name}`, () => {
    let place: StorePlace;
    let stores: SqlStore[];
    const bench: StorePair = {
      get store() {
        return stores[0] as SqlStore;
      },
      get other() {
        return stores[1] as SqlStore;
      },
    };
    before(async () => {
      place = await open();
      stores = [place.make(), place.make()];
      await Promise.all(stores.map((store) => store.start()));
    });
    beforeEach(() => clear(bench.store));
    after(async () => {
      await Promise.all(stores.map((store) => store.stop()));
      await place.remove();
    });

    exerciseRecords(bench);
    exerciseReaders(bench);
    exerciseRegisters(bench);
    exerciseRedrives(bench);

    it('keeps what it has when it is opened again, and shows it to others', async () => {
      const job = jobNumber(1);
      await bench.store.records.record(recordingOf([accepted(job)]));
      expect(await bench.other.jobs.get(job.id)).to.have.nested.property('row.state', 'queued');
      const again = place.make();
      await again.start();
      expect(await again.jobs.get(job.id)).to.have.nested.property('row.state', 'queued');
      await again.stop();
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
