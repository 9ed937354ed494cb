import { expect } from 'chai';
import fc from 'fast-check';
import { emptyLedger, enter } from '../../src/recorder/ledger.js';
import type { BatchCount } from '../../src/store/ledgers.js';

const batch = (seq: number, accepted = 1): BatchCount => ({ seq, accepted, acceptedAgain: 0 });

describe('the books of a source', () => {
  it('add up what came in order', () => {
    const ledger = enter(emptyLedger, [batch(1, 5), batch(2, 7)], 100);
    expect(ledger).to.deep.equal({ through: 2, accepted: 12, acceptedAgain: 0, gaps: [] });
  });

  it('name what has not come although later ones have, and since when', () => {
    const ledger = enter(enter(emptyLedger, [batch(1), batch(4)], 100), [batch(6)], 200);
    expect(ledger.gaps).to.deep.equal([
      { first: 2, last: 3, sinceMs: 100 },
      { first: 5, last: 5, sinceMs: 200 },
    ]);
    expect(ledger.accepted).to.equal(3);
  });

  it('cross off what comes late, and keep the rest of the gap and its age', () => {
    const ledger = enter(enter(emptyLedger, [batch(6)], 100), [batch(3, 10)], 200);
    expect(ledger.accepted).to.equal(11);
    expect(ledger.gaps).to.deep.equal([
      { first: 1, last: 2, sinceMs: 100 },
      { first: 4, last: 5, sinceMs: 100 },
    ]);
  });

  it('count a batch that comes again once', () => {
    const once = enter(emptyLedger, [batch(1), batch(2)], 100);
    expect(enter(once, [batch(1), batch(2)], 200)).to.deep.equal(once);
  });

  it('are the same in any order, with any repetition, made up at any time', () => {
    const arrivals = fc
      .uniqueArray(fc.integer({ min: 1, max: 30 }), { minLength: 1 })
      .chain((seqs) =>
        fc.tuple(
          fc.constant(seqs),
          fc.array(fc.constantFrom(...seqs), { maxLength: 20 }),
          fc.infiniteStream(fc.boolean()),
        ),
      );
    fc.assert(
      fc.property(arrivals, ([seqs, repeated, cuts]) => {
        let ledger = emptyLedger;
        let pending: BatchCount[] = [];
        for (const seq of [...seqs, ...repeated]) {
          pending.push(batch(seq, seq));
          if (cuts.next().value) {
            ledger = enter(ledger, pending, 100);
            pending = [];
          }
        }
        ledger = enter(ledger, pending, 100);
        const greatest = Math.max(...seqs);
        const missing = ledger.gaps.flatMap(({ first, last }) =>
          Array.from({ length: last - first + 1 }, (_, i) => first + i),
        );
        expect(ledger.through).to.equal(greatest);
        expect(ledger.accepted).to.equal(seqs.reduce((sum, seq) => sum + seq, 0));
        expect([...seqs, ...missing].sort((a, b) => a - b)).to.deep.equal(
          Array.from({ length: greatest }, (_, i) => i + 1),
        );
      }),
      { seed: 4 },
    );
  });
});
