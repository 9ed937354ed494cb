import { expect } from 'chai';
import { createRegistry } from '../../src/handler/registry.js';
import { sleep } from '../../workers/sleep.js';
import { rejection, run } from './running.js';

describe('sleep', () => {
  const registry = createRegistry({ handlers: [sleep] });

  it('resolves when the time is over', async () => {
    expect(await run(sleep, { ms: 1 })).to.deep.equal({ ms: 1 });
    expect(await run(sleep, { ms: 0 })).to.deep.equal({ ms: 0 });
  });

  it('ends at once when aborted, with the reason of the signal', async () => {
    const abort = new AbortController();
    const reason = new Error('shutting down');
    const sleeping = rejection(run(sleep, { ms: 86_400_000 }, abort.signal));
    abort.abort(reason);
    expect(await sleeping).to.equal(reason);
    expect(await rejection(run(sleep, { ms: 1 }, AbortSignal.abort(reason)))).to.equal(reason);
  });

  for (const payload of [
    {},
    { ms: -1 },
    { ms: 1.5 },
    { ms: '1' },
    { ms: 86_400_001 },
    { ms: 1, s: 1 },
    null,
    5,
  ]) {
    it(`refuses ${JSON.stringify(payload)}`, () => {
      expect(registry.checkPayload('sleep', payload)).to.be.a('string');
    });
  }
});
