import { expect } from 'chai';
import { StoreRefused } from '../../src/job/errors.js';
import { encodeBatch } from '../../src/job/event-codec.js';
import { createRecorder } from '../../src/recorder/recorder.js';
import { systemClock as clock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import type { Records } from '../../src/store/store.js';
import { accepted, batchOf, idOf, sourceId, started, succeeded } from '../recorder/support/events.js';
import { createFakeChannel } from '../recorder/support/fake-channel.js';
import { sqliteStores } from '../recorder/support/stores.js';

const a = sourceId('a');
const first = encodeBatch(batchOf(a, 1, [accepted(1), accepted(2)]));
const second = encodeBatch(batchOf(a, 2, [started(1), succeeded(1)]));

describe('batches that the SQLite thread reads by itself', () => {
  const stores = sqliteStores();
  afterEach(() => stores.close());

  it('become the rows of their events, in one recording, and however often they come', async () => {
    const { records, jobs } = await stores.open();
    expect(await records.recordBatches?.([second, first])).to.equal(4);
    expect(await records.recordBatches?.([first])).to.equal(2);
    const states = (await jobs.list({}, { limit: 9, nowMs: Date.now() })).rows.map(({ id, state }) => [
      id,
      state,
    ]);
    expect(states).to.have.deep.members([
      [idOf(1), 'succeeded'],
      [idOf(2), 'queued'],
    ]);
  });

  it('are not recorded when one of them cannot be read', async () => {
    const { records, jobs } = await stores.open();
    expect(await records.recordBatches?.([first, Buffer.from('{}')])).to.equal(undefined);
    expect((await jobs.list({}, { limit: 9, nowMs: Date.now() })).rows).to.deep.equal([]);
  });

  const refuses: Partial<Records> = {
    recordBatches: () => Promise.reject(new StoreRefused('the test refuses it')),
  };
  for (const [title, more] of [
    ['cannot be read', {}],
    ['is refused', refuses],
  ] as const) {
    it(`are taken apart by the recorder when one ${title}`, async () => {
      const store = await stores.open();
      const channel = createFakeChannel();
      const records = { ...store.records, ...more };
      const log = createLog('silent');
      const recorder = createRecorder({ channel, store: { kind: 'sqlite', records }, clock, log });
      for (const bytes of [first, Buffer.from('{}'), second]) channel.offer(bytes);
      await recorder.start();
      await channel.untilAcked(3);
      expect(recorder.stats).to.include({ recorded: 4, quarantined: 1 });
      const found = await store.jobs.get(idOf(1));
      expect(found?.row.state).to.equal('succeeded');
      await recorder.stop();
    });
  }
});
