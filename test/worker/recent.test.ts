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

  it('remembers at least as many ends as its capacity, the latest ones, and at most twice as many', () => {
    const recent = createRecent<string, number>(3);
    for (let count = 1; count <= 1000; count++) {
      recent.finish(`job ${count}`, count);
      const remembered = Array.from({ length: count }, (_, n) => recent.verdict(`job ${n + 1}`) ?? 0);
      const ends = remembered.filter((n) => n > 0);
      const latest = Array.from({ length: Math.min(3, count) }, (_, n) => count - Math.min(3, count) + 1 + n);
      expect(ends).to.include.members(latest);
      expect(ends.length).to.be.at.most(6);
    }
  });

  it('remembers the latest end of a job that ended twice', () => {
    const recent = createRecent<string, number>(2);
    for (const [key, verdict] of [
      ['a', 1],
      ['b', 2],
      ['a', 3],
      ['c', 4],
    ] as const) {
      recent.finish(key, verdict);
    }
    expect(recent.verdict('a')).to.equal(3);
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
