import { expect } from 'chai';
import { createUpkeep } from '../../src/recorder/upkeep.js';
import { createLog } from '../../src/runtime/log.js';
import type { OpenLedger } from '../../src/store/ledgers.js';
import { createManualClock } from '../support/manual-clock.js';

const DAY_MS = 86_400_000;

describe('the upkeep', () => {
  it('takes its steps every few seconds, and none once it is stopped', async () => {
    const { clock, upkeep, calls } = begin();
    await upkeep.start();
    await clock.advance(3_000);
    const once = calls.length;
    expect(once).to.be.greaterThan(0);
    await clock.advance(3_000);
    expect(calls.length).to.be.greaterThan(once);
    const stopping = upkeep.stop();
    await stopping;
    const now = calls.length;
    await clock.advance(10_000);
    expect(calls.length).to.equal(now);
  });

  it('deletes settled jobs by age, and dead ones by an age of their own', async () => {
    const { clock, upkeep, calls } = begin();
    await upkeep.round();
    const now = clock.now();
    for (const state of ['succeeded', 'cancelled', 'discarded'])
      expect(calls).to.deep.include(['delete', state, now - DAY_MS]);
    expect(calls).to.deep.include(['delete', 'dead', now - 30 * DAY_MS]);
  });

  it('deletes settled jobs that are too many, but none that has finished in the last minute', async () => {
    const early = begin({ overCountMs: (now) => now - 3_600_000 });
    await early.upkeep.round();
    expect(early.calls).to.deep.include(['delete', 'succeeded', early.clock.now() - 3_600_000]);
    const late = begin({ overCountMs: (now) => now });
    await late.upkeep.round();
    expect(late.calls).to.deep.include(['delete', 'succeeded', late.clock.now() - 60_000]);
    expect(late.calls).to.deep.include(['delete', 'dead', late.clock.now() - 30 * DAY_MS]);
  });

  it('forgets orders to cancel once a minute, some time after their runs have ended', async () => {
    const { clock, upkeep, calls } = begin();
    const at = clock.now();
    await upkeep.round();
    await upkeep.round();
    expect(calls.filter(([what]) => what === 'cancels')).to.deep.equal([['cancels', at - 600_000]]);
    await clock.advance(60_000);
    await upkeep.round();
    expect(calls.filter(([what]) => what === 'cancels')).to.have.lengthOf(2);
  });

  it('forgets what is in quarantine after the time of dead jobs', async () => {
    const { clock, upkeep, calls } = begin();
    await upkeep.round();
    expect(calls).to.deep.include(['quarantine', clock.now() - 30 * DAY_MS]);
  });

  it('begins the next round soon when there is more than a round may take', async () => {
    const { clock, upkeep, calls } = begin({ found: 500 });
    await upkeep.start();
    await clock.advance(3_000);
    const once = calls.length;
    await clock.advance(100);
    expect(calls.length).to.equal(2 * once - 1); // orders to cancel have a time of their own
    await upkeep.stop();
  });

  it('goes on in the same round while there is more, within bounds', async () => {
    const { upkeep, calls } = begin({ found: 500 });
    await upkeep.round();
    expect(calls.filter(([what, state]) => what === 'delete' && state === 'dead')).to.have.lengthOf(20);
  });
});

interface Setup {
  readonly overCountMs?: (nowMs: number) => number;
  /** Jobs that each deletion finds. */
  readonly found?: number;
}

function begin({ overCountMs, found = 0 }: Setup = {}) {
  const clock = createManualClock();
  const calls: (readonly [what: string, ...rest: unknown[]])[] = [];
  const upkeep = createUpkeep({
    ledgers: {
      async open(): Promise<readonly OpenLedger[]> {
        return [];
      },
      async close() {},
      async forget() {},
    },
    retention: {
      async finishedBeforeNewest() {
        return overCountMs?.(clock.now());
      },
      async deleteJobs(states, beforeMs) {
        calls.push(['delete', states[0], beforeMs]);
        return found;
      },
      async deleteFlow() {},
      async deleteCancels(endedBeforeMs) {
        calls.push(['cancels', endedBeforeMs]);
        return 0;
      },
      async deleteRemade() {
        return 0;
      },
      async deleteQuarantined(beforeMs, limit) {
        calls.push(['quarantine', beforeMs]);
        return Math.min(found, limit);
      },
    },
    idempotency: {
      async sweep() {
        return 0;
      },
    },
    ageMs: DAY_MS,
    deadAgeMs: 30 * DAY_MS,
    jobs: 1_000,
    clock,
    log: createLog('silent'),
  });
  return { clock, upkeep, calls };
}
