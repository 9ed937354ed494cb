import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { StoreUnavailable } from '../../src/job/errors.js';
import { systemClock as clock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import { createSqliteStore } from '../../src/store/sqlite.js';
import { rejectionOf } from '../broker/inbox.js';
import { exerciseStore } from './conformance.js';
import { accepted, jobNumber, recordingOf } from './rows.js';

exerciseStore('SQLite, shared by processes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-store-'));
  return {
    make: () => createSqliteStore({ folder, clock, log: createLog('silent'), failed() {} }),
    async remove() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
});

describe('the store on SQLite and its disk', () => {
  it('says that no space is left, keeps nothing of that recording, and goes on once there is room', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-store-'));
    const store = createSqliteStore({ folder, clock, log: createLog('silent'), failed() {} });
    const pragma = (text: string) => store.sql.write([{ sql: `PRAGMA ${text}`, parameters: [] }]);
    try {
      await store.start();
      const job = jobNumber(1);
      await store.records.record(recordingOf([accepted(job)]));
      const [pages] = (await pragma('page_count'))[0] as { page_count: number }[];
      await pragma(`max_page_count = ${(pages?.page_count ?? 0) + 2}`);
      const many = recordingOf(Array.from({ length: 500 }, (_, i) => accepted(jobNumber(100 + i))));
      const error = await rejectionOf(store.records.record(many));
      expect(error).to.be.instanceOf(StoreUnavailable);
      expect((error as Error).message)
        .to.include('no space is left')
        .and.include(folder);
      expect(store.health()).to.have.property('ok', false);
      expect((await store.jobs.list({}, { limit: 9, nowMs: 0 })).rows.map(({ id }) => id)).to.deep.equal([
        job.id,
      ]);
      await pragma('max_page_count = 1000000');
      await store.records.record(many);
      expect((await store.jobs.counts(0))[0]).to.have.property('count', 501);
    } finally {
      await store.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
