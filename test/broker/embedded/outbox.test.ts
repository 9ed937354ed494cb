import { expect } from 'chai';
import { createOutbox } from '../../../src/broker/embedded/outbox.js';
import { OutcomeUnknown } from '../../../src/job/errors.js';
import { createDeferred } from '../../support/deferred.js';
import { createManualClock } from '../../support/manual-clock.js';
import { rejectionOf } from '../inbox.js';

describe('the outbox of the built-in engine', () => {
  it('calls it an unknown outcome when the disk is slow, and tells when the job is on it after all', async () => {
    const clock = createManualClock();
    const outbox = createOutbox({ window: 1, timeoutMs: 1_000, clock, confirmed() {} });
    const disk = createDeferred();
    const sent = rejectionOf(outbox.send(1, () => disk.promise));
    await clock.advance(2_000);
    const error = await sent;
    expect(error).to.be.instanceOf(OutcomeUnknown);
    expect(outbox.size()).to.equal(0);
    disk.resolve();
    await (error as OutcomeUnknown).stored;
    await outbox.close(0);
  });
});
