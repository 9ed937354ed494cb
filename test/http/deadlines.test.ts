import { expect } from 'chai';
import { createDeadlines } from '../../src/http/deadlines.js';
import { createManualClock } from '../support/manual-clock.js';

describe('deadlines that share a timer', () => {
  it('fall due each at its own time, and only once', async () => {
    const clock = createManualClock();
    const deadlines = createDeadlines(100, clock);
    const late: string[] = [];
    deadlines.set(() => late.push('first'));
    await clock.advance(60);
    deadlines.set(() => late.push('second'));
    await clock.advance(39);
    expect(late).to.deep.equal([]);
    await clock.advance(1);
    expect(late).to.deep.equal(['first']);
    await clock.advance(60);
    expect(late).to.deep.equal(['first', 'second']);
    await clock.advance(1000);
    expect(late).to.have.length(2);
  });

  it('do not fall due once cleared, and need one timer for any number', async () => {
    const clock = createManualClock();
    const deadlines = createDeadlines(100, clock);
    const late: number[] = [];
    const all = [1, 2, 3].map((name) => deadlines.set(() => late.push(name)));
    expect(clock.waiting).to.equal(1);
    for (const deadline of all.slice(0, 2)) deadlines.clear(deadline);
    await clock.advance(100);
    expect(late).to.deep.equal([3]);
    expect(clock.waiting).to.equal(0);
  });

  it('are set again after a rest', async () => {
    const clock = createManualClock();
    const deadlines = createDeadlines(100, clock);
    const late: number[] = [];
    deadlines.clear(deadlines.set(() => late.push(1)));
    await clock.advance(500);
    deadlines.set(() => late.push(2));
    await clock.advance(100);
    expect(late).to.deep.equal([2]);
  });
});
