import { expect } from 'chai';
import { attemptKey, createRecent } from '../../src/worker/recent.js';

describe('the memory of recent jobs', () => {
  it('tells attempts and runs of a job apart', () => {
    const keys = [
      attemptKey({ id: 'a', run: 1, attempt: 1 }),
      attemptKey({ id: 'a', run: 1, attempt: 2 }),
      attemptKey({ id: 'a', run: 2, attempt: 1 }),
      attemptKey({ id: 'b', run: 1, attempt: 1 }),
    ];
    expect(new Set(keys).size).to.equal(4);
  });

  it('knows what is held until it has ended, and then how it ended', () => {
    const recent = createRecent<string, string>(10);
    recent.hold('a', 'held');
    expect([recent.held('a'), recent.verdict('a')]).to.deep.equal(['held', undefined]);
    recent.finish('a', 'done');
    expect([recent.held('a'), recent.verdict('a')]).to.deep.equal([undefined, 'done']);
  });

  it('knows nothing of what it has forgotten', () => {
    const recent = createRecent<string, string>(10);
    recent.hold('a', 'held');
    recent.forget('a');
    expect([recent.held('a'), recent.verdict('a'), recent.allHeld()]).to.deep.equal([
      undefined,
      undefined,
      [],
    ]);
  });

  it('remembers as many ends as its capacity, the latest ones', () => {
    const recent = createRecent<string, number>(3);
    for (let n = 0; n < 1000; n++) recent.finish(`job ${n}`, n);
    const remembered = Array.from({ length: 1000 }, (_, n) => recent.verdict(`job ${n}`)).filter(
      (n) => n !== undefined,
    );
    expect(remembered).to.deep.equal([997, 998, 999]);
  });

  it('counts a job that ended again as the latest', () => {
    const recent = createRecent<string, number>(2);
    recent.finish('a', 1);
    recent.finish('b', 2);
    recent.finish('a', 3);
    recent.finish('c', 4);
    expect([recent.verdict('a'), recent.verdict('b'), recent.verdict('c')]).to.deep.equal([3, undefined, 4]);
  });

  it('lists what is held', () => {
    const recent = createRecent<string, number>(2);
    recent.hold('a', 'A');
    recent.hold('b', 'B');
    recent.hold('c', 'C');
    recent.finish('b', 1);
    expect(recent.allHeld()).to.deep.equal(['A', 'C']);
  });
});
