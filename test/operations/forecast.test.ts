/** When a backlog will be gone. */
import { expect } from 'chai';
import fc from 'fast-check';
import { forecastOf } from '../../src/operations/forecast.js';

describe('the forecast', () => {
  const pace = { backlog: 300, acceptedPerSecond: 10, drainedPerSecond: 40, isPaused: false };

  it('is the backlog over what drains more than comes', () => {
    expect(forecastOf(pace)).to.deep.equal({ state: 'draining', emptyInMs: 10_000 });
    expect(forecastOf({ ...pace, acceptedPerSecond: 0 })).to.deep.equal({
      state: 'draining',
      emptyInMs: 7_500,
    });
  });

  it('says why there is no telling', () => {
    expect(forecastOf({ ...pace, acceptedPerSecond: 40 }).state).to.equal('growing');
    expect(forecastOf({ ...pace, acceptedPerSecond: 0, drainedPerSecond: 0 }).state).to.equal('idle');
    expect(forecastOf({ ...pace, isPaused: true })).to.deep.equal({ state: 'paused', emptyInMs: null });
  });

  it('is empty with nothing waiting, paused or not', () => {
    for (const isPaused of [true, false])
      expect(forecastOf({ ...pace, backlog: 0, isPaused })).to.deep.equal({ state: 'empty', emptyInMs: 0 });
  });

  it('is a whole number of ms from 0, or null', () => {
    const rate = fc.double({ min: 0, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(
        fc.nat(),
        rate,
        rate,
        fc.boolean(),
        (backlog, acceptedPerSecond, drainedPerSecond, isPaused) => {
          const { emptyInMs } = forecastOf({ backlog, acceptedPerSecond, drainedPerSecond, isPaused });
          if (emptyInMs === null || emptyInMs === Number.POSITIVE_INFINITY) return;
          expect(emptyInMs).to.satisfy((ms: number) => ms >= 0 && Math.ceil(ms) === ms);
        },
      ),
    );
  });
});
