import { expect } from 'chai';
import { createWindow } from '../../src/http/window.js';

describe('the window of batches', () => {
  it('gives its places at once while there are any', () => {
    const window = createWindow(2, 100);
    expect([window.enter(1), window.enter(1)]).to.deep.equal([undefined, undefined]);
    expect(window.enter(1)).to.be.instanceOf(Promise);
  });

  it('gives a place that is left to whoever has waited longest', async () => {
    const window = createWindow(1, 100);
    const entered: string[] = [];
    void window.enter(1);
    const waiting = ['a', 'b'].map((name) => Promise.resolve(window.enter(1)).then(() => entered.push(name)));
    window.leave(1);
    await waiting[0];
    expect(entered).to.deep.equal(['a']);
    window.leave(1);
    await waiting[1];
    expect(entered).to.deep.equal(['a', 'b']);
  });

  it('is bounded in bytes as well, but lets a single job of any size pass', async () => {
    const window = createWindow(10, 100);
    expect(window.enter(1000)).to.equal(undefined);
    const next = window.enter(60);
    expect(next).to.be.instanceOf(Promise);
    window.leave(1000);
    await next;
    expect(window.enter(41)).to.be.instanceOf(Promise);
  });

  it('lets nobody overtake one who waits for room', async () => {
    const window = createWindow(10, 100);
    void window.enter(60);
    const large = window.enter(90);
    const small = window.enter(1);
    expect(small).to.be.instanceOf(Promise);
    window.leave(60);
    await Promise.all([large, small]);
  });
});
