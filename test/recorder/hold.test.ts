/** The books of a redrive, on real stores whose answers are lost now and then. */
import { expect } from 'chai';
import { StoreUnavailable } from '../../src/job/errors.js';
import { createHold, leaseMs } from '../../src/recorder/hold.js';
import { createRedrives, type Redrive, type Redrives } from '../../src/store/redrives.js';
import { createManualClock } from '../support/manual-clock.js';
import { idOf } from './support/events.js';
import { everyEngine } from './support/stores.js';

for (const [engine, makeStores] of everyEngine) {
  describe(`the hold on a redrive, on ${engine}`, () => {
    const stores = makeStores();
    afterEach(() => stores.close());

    it('counts a step once whose booking was stored though its answer was lost, and what came since', async () => {
      const { hold, lose, get } = await begin();
      hold.done({ id: idOf(1), run: 2 });
      hold.done({ id: idOf(2), run: 2 });
      hold.skipped(1);
      lose('answer');
      expect(await reasonOf(hold.book('one'))).to.equal('its answer was lost');
      expect(await get()).to.include({ done: 2, skipped: 1, cursor: 'one' });
      hold.done({ id: idOf(3), run: 2 });
      expect(await hold.book()).to.equal(true);
      expect(await get()).to.include({ done: 3, skipped: 1, cursor: 'one' });
      expect(await hold.book('two')).to.equal(true);
      expect(await get()).to.include({ done: 3, skipped: 1, cursor: 'two' });
    });

    it('counts a step whose booking was lost itself', async () => {
      const { hold, lose, get } = await begin();
      hold.done();
      lose('request');
      expect(await reasonOf(hold.book('one'))).to.equal('its request was lost');
      expect(await get()).to.include({ done: 0, cursor: null });
      lose('request');
      expect(await reasonOf(hold.book('one'))).to.equal('its request was lost');
      hold.done();
      expect(await hold.book('two')).to.equal(true);
      expect(await get()).to.include({ done: 2, cursor: 'two' });
    });

    it('counts all that was done, though it was stopped after an answer was lost', async () => {
      const { hold, lose, get, redrives, redrive, clock } = await begin();
      hold.done();
      lose('answer');
      await reasonOf(hold.book('one'));
      await redrives.end(redrive.id, 'stopped', null, clock.now());
      hold.done();
      expect(await hold.book('two')).to.equal(false);
      expect(await get()).to.include({ state: 'stopped', done: 2, cursor: 'two' });
    });

    it('gives it free only with all that was done', async () => {
      const { hold, lose, get, redrives, clock } = await begin();
      hold.done();
      lose('answer');
      await reasonOf(hold.book('one'));
      hold.done();
      await hold.release();
      expect(await get()).to.include({ done: 2 });
      const next = await redrives.claim('b', clock.now(), clock.now() + leaseMs);
      expect(next).to.include({ done: 2, cursor: 'one' });
    });

    async function begin() {
      const clock = createManualClock();
      const redrives = createRedrives((await stores.open()).sql);
      const redrive: Redrive = {
        id: idOf(1_000),
        kind: 'replay',
        state: 'running',
        reason: null,
        filter: {},
        ratePerSecond: null,
        matched: 3,
        done: 0,
        skipped: 0,
        cursor: null,
        createdAtMs: clock.now(),
        updatedAtMs: clock.now(),
        endedAtMs: null,
      };
      await redrives.create(redrive);
      await redrives.claim('a', clock.now(), clock.now() + leaseMs);
      let lost: 'answer' | 'request' | undefined;
      const failing: Pick<Redrives, 'book'> = {
        async book(...step) {
          const what = lost;
          lost = undefined;
          if (what === 'request') throw new StoreUnavailable('its request was lost');
          const booked = await redrives.book(...step);
          if (what === 'answer') throw new StoreUnavailable('its answer was lost');
          return booked;
        },
      };
      return {
        clock,
        redrives,
        redrive,
        hold: createHold(redrive, { redrives: failing, driver: 'a', clock }),
        lose(what: 'answer' | 'request'): void {
          lost = what;
        },
        get: () => redrives.get(redrive.id),
      };
    }
  });
}

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'nothing',
    (error: Error) => error.message,
  );
}
