import { expect } from 'chai';
import { sleep } from '../../src/runtime/clock.js';
import { createManualClock } from './manual-clock.js';

describe('the manual clock', () => {
  it('runs what falls due in order of time, each at its own moment', async () => {
    const clock = createManualClock(1000);
    const ran: string[] = [];
    clock.after(30, () => ran.push(`c at ${clock.now()}`));
    clock.after(10, () => {
      ran.push(`a at ${clock.now()}`);
      clock.after(5, () => ran.push(`b at ${clock.now()}`));
    });
    await clock.advance(29);
    expect(ran).to.deep.equal(['a at 1010', 'b at 1015']);
    await clock.advance(1);
    expect(ran.at(-1)).to.equal('c at 1030');
    expect(clock.waiting).to.equal(0);
  });

  it('forgets what is called off', async () => {
    const clock = createManualClock();
    const ran: string[] = [];
    const cancel = clock.after(10, () => ran.push('never'));
    clock.after(10, () => ran.push('kept'));
    cancel();
    await clock.advance(20);
    expect(ran).to.deep.equal(['kept']);
  });

  it('lets what follows a timer happen before the next one', async () => {
    const clock = createManualClock();
    const ran: string[] = [];
    void sleep(clock, 10).then(() => ran.push('first'));
    clock.after(11, () => ran.push('second'));
    await clock.advance(20);
    expect(ran).to.deep.equal(['first', 'second']);
  });

  it('tells when somebody waits', async () => {
    const clock = createManualClock();
    const two = clock.untilWaiting(2);
    clock.after(1, () => undefined);
    clock.after(2, () => undefined);
    await two;
    expect(clock.waiting).to.equal(2);
  });
});
