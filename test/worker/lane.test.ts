import { expect } from 'chai';
import fc from 'fast-check';
import { type Lane, lanes } from '../../src/job/job.js';
import { chooseLane, createWaitingLine, leastShare, type PerLane, passOver } from '../../src/worker/lane.js';

const never: PerLane<number> = { high: 0, normal: 0, low: 0 };

describe('the choice of a lane', () => {
  for (const [waiting, chosen] of [
    [{ high: 0, normal: 0, low: 0 }, undefined],
    [{ high: 1, normal: 1, low: 1 }, 'high'],
    [{ high: 0, normal: 1, low: 9 }, 'normal'],
    [{ high: 0, normal: 0, low: 1 }, 'low'],
  ] as const) {
    it(`is ${chosen} when ${JSON.stringify(waiting)} wait`, () => {
      expect(chooseLane(waiting, never)).to.equal(chosen);
    });
  }

  it('puts a lane first that was passed over often enough, low before normal', () => {
    const waiting = { high: 1, normal: 1, low: 1 };
    expect(chooseLane(waiting, { high: 0, normal: 2, low: 14 })).to.equal('high');
    expect(chooseLane(waiting, { high: 0, normal: 3, low: 14 })).to.equal('normal');
    expect(chooseLane(waiting, { high: 0, normal: 3, low: 15 })).to.equal('low');
  });

  it('does not save up turns for a lane in which nothing waits', () => {
    const passed = passOver({ high: 1, normal: 0, low: 1 }, { high: 0, normal: 2, low: 14 }, 'high');
    expect(passed).to.deep.equal({ high: 0, normal: 0, low: 15 });
  });

  it('gives every lane its least share while all have jobs waiting', () => {
    const full = { high: 1, normal: 1, low: 1 };
    const last: Record<Lane, number> = { high: 0, normal: 0, low: 0 };
    const longest: Record<Lane, number> = { high: 0, normal: 0, low: 0 };
    let passed = never;
    for (let pick = 1; pick <= 10_000; pick++) {
      const lane = chooseLane(full, passed) ?? 'high';
      longest[lane] = Math.max(longest[lane], pick - last[lane]);
      last[lane] = pick;
      passed = passOver(full, passed, lane);
    }
    for (const lane of lanes) expect(longest[lane], lane).to.be.at.most(Math.round(1 / leastShare[lane]));
    expect(longest.low).to.equal(16);
  });

  it('never lets a waiting lane wait for longer than its share promises, whatever comes and goes elsewhere', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ high: fc.nat(1), normal: fc.nat(1) }), { minLength: 40, maxLength: 80 }),
        (others) => {
          let passed = never;
          let since = 0;
          for (const other of others) {
            const waiting = { ...other, low: 1 };
            const lane = chooseLane(waiting, passed) ?? 'high';
            expect(waiting[lane]).to.equal(1);
            since = lane === 'low' ? 0 : since + 1;
            expect(since).to.be.below(16);
            passed = passOver(waiting, passed, lane);
          }
        },
      ),
    );
  });
});

describe('the waiting line', () => {
  it('hands out the best lane first, and first come first served within a lane', () => {
    const line = createWaitingLine<string>();
    for (const [lane, item] of [
      ['low', 'l1'],
      ['normal', 'n1'],
      ['high', 'h1'],
      ['normal', 'n2'],
      ['high', 'h2'],
    ] as const) {
      line.push(lane, item);
    }
    expect(line.size).to.equal(5);
    expect([1, 2, 3, 4, 5, 6].map(() => line.takeBest())).to.deep.equal([
      'h1',
      'h2',
      'n1',
      'n2',
      'l1',
      undefined,
    ]);
    expect(line.size).to.equal(0);
  });

  it('hands out everything at once when asked, and is empty then', () => {
    const line = createWaitingLine<string>();
    line.push('low', 'l1');
    line.push('high', 'h1');
    expect(line.takeAll()).to.deep.equal(['h1', 'l1']);
    expect(line.takeBest()).to.equal(undefined);
  });

  it('hands out those that are picked, and the others keep their places', () => {
    const line = createWaitingLine<string>();
    for (const item of ['n1', 'x1', 'n2', 'x2', 'n3']) line.push('normal', item);
    line.push('high', 'x3');
    expect(line.takeWhere((item) => item.startsWith('x'))).to.deep.equal(['x3', 'x1', 'x2']);
    expect(line.takeAll()).to.deep.equal(['n1', 'n2', 'n3']);
  });
});
