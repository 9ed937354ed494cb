import { expect } from 'chai';
import { createOutbox } from '../../../src/broker/embedded/outbox.js';
import { OutcomeUnknown, Refused } from '../../../src/job/errors.js';
import { createDeferred } from '../../support/deferred.js';
import { createManualClock } from '../../support/manual-clock.js';
import { rejectionOf } from '../inbox.js';

describe('the publishes that wait for the disk', () => {
  it('keep their places after their timeout, until the disk has answered: it may stand still for long', async () => {
    const clock = createManualClock();
    const outbox = createOutbox({ window: 1, timeoutMs: 1_000, clock, confirmed() {} });
    const disk = createDeferred<void>();
    const store = (): Promise<void> => disk.promise;
    const late = [rejectionOf(outbox.send(10, store)), rejectionOf(outbox.send(10, store))];
    await clock.advance(2_000);
    for (const error of await Promise.all(late)) expect(error).to.be.instanceOf(OutcomeUnknown);
    expect(outbox.size()).to.equal(2);
    expect(await rejectionOf(outbox.send(10, store)))
      .to.be.instanceOf(Refused)
      .with.property('code', 'overloaded');
    disk.resolve();
    await disk.promise;
    await clock.advance(1);
    expect(outbox.size()).to.equal(0);
    await outbox.send(10, store);
    await outbox.close(1_000);
  });

  it('are waited for at a close, those that were given up no longer than the others', async () => {
    const clock = createManualClock();
    const outbox = createOutbox({ window: 1, timeoutMs: 10_000, clock, confirmed() {} });
    const stuck = rejectionOf(outbox.send(10, () => new Promise(() => {})));
    const closed = outbox.close(5_000);
    await clock.advance(5_000);
    await closed;
    expect(await stuck).to.be.instanceOf(OutcomeUnknown);
    expect(clock.waiting).to.equal(0);
  });

  it('calls it an unknown outcome when the disk is slow, and tells when the job is on it after all', async () => {
    const clock = createManualClock();
    const outbox = createOutbox({ window: 1, timeoutMs: 1_000, clock, confirmed() {} });
    const disk = createDeferred();
    const sent = rejectionOf(outbox.send(1, () => disk.promise));
    await clock.advance(2_000);
    const error = await sent;
    expect(error).to.be.instanceOf(OutcomeUnknown);
    expect(outbox.size()).to.equal(1);
    disk.resolve();
    await (error as OutcomeUnknown).stored;
    await outbox.close(0);
  });
});
