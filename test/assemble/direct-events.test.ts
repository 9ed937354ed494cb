import { expect } from 'chai';
import { recordDirectly } from '../../src/assemble/direct-events.js';
import { StoreRefused, StoreUnavailable } from '../../src/job/errors.js';
import { createFakeChannel } from '../events/support/fake-channel.js';
import { createDeferred } from '../support/deferred.js';

const batch = Buffer.from('{}');

describe('a batch of events that is recorded directly', () => {
  const bench = (recordBatches: (batches: readonly Buffer[]) => Promise<number | undefined>) => {
    const queued: Buffer[] = [];
    const confirm = createDeferred();
    const fake = createFakeChannel();
    const channel = recordDirectly(
      {
        ...(fake as unknown as Parameters<typeof recordDirectly>[0]),
        publish(bytes) {
          queued.push(bytes);
          return { done: confirm.promise, withdraw() {} };
        },
      },
      recordBatches,
    );
    return { channel, queued, confirm };
  };

  it('is done once it is in the store, and is not queued', async () => {
    const recorded = createDeferred<number>();
    const { channel, queued } = bench(() => recorded.promise);
    const { done } = channel.publish(batch);
    let isDone = false;
    void done.then(() => {
      isDone = true;
    });
    await new Promise(setImmediate);
    expect(isDone).to.equal(false);
    recorded.resolve(1);
    await done;
    expect(queued).to.deep.equal([]);
  });

  for (const [what, record] of [
    ['cannot be read', () => Promise.resolve(undefined)],
    ['is refused', () => Promise.reject(new StoreRefused('no'))],
    ['finds the store away', () => Promise.reject(new StoreUnavailable('away'))],
  ] as const) {
    it(`is queued for the recorder where it ${what}, and done once that is confirmed`, async () => {
      const { channel, queued, confirm } = bench(record);
      const { done } = channel.publish(batch);
      let isDone = false;
      void done.then(() => {
        isDone = true;
      });
      await new Promise(setImmediate);
      expect([queued.length, isDone]).to.deep.equal([1, false]);
      confirm.resolve();
      await done;
    });
  }

  it('that was withdrawn is queued no more, and never done', async () => {
    const recorded = createDeferred<number>();
    const { channel, queued } = bench(() => recorded.promise);
    const { done, withdraw } = channel.publish(batch);
    let isDone = false;
    void done.then(() => {
      isDone = true;
    });
    withdraw();
    recorded.reject(new StoreUnavailable('away'));
    await new Promise(setImmediate);
    expect([queued, isDone]).to.deep.equal([[], false]);
  });
});
