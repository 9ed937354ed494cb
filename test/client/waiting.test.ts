/** Waiting for the end of a job, through answers that are not it. */
import { expect } from 'chai';
import { SluiceHttpError, SluiceWaitTimeout } from '../../src/client/errors.js';
import { untilEnded } from '../../src/client/waiting.js';
import { broken, failureOf, type Reply, scripted } from './support/scripted.js';

const path = '/v1/jobs/an-id';
const jobIn = (state: string, run = 1): Reply => ({ status: 200, body: { id: 'an-id', state, run } });

describe('waiting for the end of a job', () => {
  it('asks for half a minute again and again until the job has ended, in whatever state', async () => {
    for (const end of ['succeeded', 'dead', 'cancelled', 'discarded']) {
      const states = ['scheduled', 'queued', 'active', 'retrying', end];
      const { requests, seen, pauses } = scripted((_, index) => jobIn(states[index] ?? 'asked too often'));
      expect((await untilEnded(requests, path, 1)).body).to.deep.equal({ id: 'an-id', state: end, run: 1 });
      expect(seen.map((one) => one.path)).to.deep.equal(Array.from(states, () => `${path}?wait=30`));
      // These answers come at once, as those of a server that is stopping.
      expect(pauses).to.deep.equal([200, 200, 200, 200]);
    }
  });

  it('goes on through a lost connection, and while a server does not know the job yet', async () => {
    const fresh: Reply = { status: 404, body: { code: 'not_found' }, headers: { 'retry-after': '1' } };
    const replies = [fresh, broken, jobIn('active'), fresh, jobIn('succeeded')];
    const { requests, seen } = scripted((_, index) => replies[index] ?? 'silence');
    expect((await untilEnded(requests, path, 1)).body).to.include({ state: 'succeeded' });
    expect(seen).to.have.length(5);
    const forgotten: Reply = { status: 404, body: { code: 'not_found' } };
    const error = await failureOf(untilEnded(scripted(() => forgotten).requests, path, 1));
    expect(error).to.be.instanceOf(SluiceHttpError).and.include({ status: 404 });
  });

  it('does not take the end of the run before it for that of a replay', async () => {
    const replies = [jobIn('dead', 1), jobIn('queued', 2), jobIn('succeeded', 2)];
    const { requests, seen } = scripted((_, index) => replies[index] ?? 'silence');
    expect((await untilEnded(requests, path, 2)).body).to.include({ state: 'succeeded', run: 2 });
    expect(seen).to.have.length(3);
  });

  it('ends when its time is over, and shows the job as it was seen last', async () => {
    const seen = scripted((_, index) => (index === 0 ? jobIn('active') : 'silence'));
    const late = await failureOf<SluiceWaitTimeout>(untilEnded(seen.requests, path, 1, { timeoutMs: 1000 }));
    expect(late).to.be.instanceOf(SluiceWaitTimeout);
    expect(late).to.deep.include({ job: { id: 'an-id', state: 'active', run: 1 }, code: 'wait_timeout' });
    expect(late.message).to.equal('the job has not ended within 1000 ms: it is active');
    const silent = scripted(() => 'silence');
    const unseen = await failureOf<SluiceWaitTimeout>(untilEnded(silent.requests, path, 1, { timeoutMs: 1 }));
    expect(unseen.job).to.equal(undefined);
  });
});
