import { expect } from 'chai';
import { type Arrival, createLedger, type Facts, type Reason } from './ledger.js';

describe('the ledger of the burst', () => {
  const facts: Facts = {
    accepted: new Map([
      ['a', { sentAtMs: 10, answeredAtMs: 12 }],
      ['b', { sentAtMs: 99, answeredAtMs: 160 }],
    ]),
    unknown: new Set(['u']),
    arrivals: new Map(),
    brokerOutages: [{ fromMs: 100, toMs: 150 }],
    workerOutages: [
      { fromMs: 300, toMs: 310 },
      { fromMs: 500, toMs: 510 },
    ],
  };
  const ledgerOf = (arrivals: Readonly<Record<string, readonly Arrival[]>>) =>
    createLedger({ ...facts, arrivals: new Map(Object.entries(arrivals)) });
  const at = (atMs: number, attempt = 1): Arrival => ({ atMs, attempt });

  it('counts an accepted job that never arrived as lost', () => {
    const ledger = ledgerOf({ a: [at(20)] });
    expect(ledger.lost).to.deep.equal(['b']);
    expect(ledger.delivered).to.equal(1);
  });

  it('does not take other arrivals for accepted ones', () => {
    const ledger = ledgerOf({ u: [at(20)], x: [at(20)] });
    expect(ledger).to.include({ delivered: 0, unknownDelivered: 1, unnamed: 1, arrivals: 2 });
    expect(ledger.lost).to.deep.equal(['a', 'b']);
  });

  const cases: readonly (readonly [Reason, string, readonly Arrival[]])[] = [
    ['worker', 'a', [at(299), at(301)]],
    ['worker', 'a', [at(499), at(501)]],
    ['broker', 'a', [at(99), at(151)]],
    ['broker', 'a', [at(110), at(151)]],
    ['confirm', 'b', [at(170), at(171)]],
    ['confirm', 'u', [at(170), at(171)]],
    ['retried', 'a', [at(20), at(30, 2)]],
    ['unexplained', 'a', [at(20), at(30)]],
    ['unexplained', 'a', [at(311), at(320)]],
    ['unexplained', 'a', [at(311), at(499)]],
  ];
  for (const [reason, id, arrivals] of cases) {
    it(`explains ${id} at ${arrivals.map(({ atMs }) => atMs).join(' and ')} as: ${reason}`, () => {
      const { duplicates, unexplained } = ledgerOf({ [id]: arrivals });
      expect(duplicates[reason]).to.equal(1);
      expect(Object.values(duplicates).reduce((sum, count) => sum + count)).to.equal(1);
      expect(unexplained).to.deep.equal(reason === 'unexplained' ? [id] : []);
    });
  }
});
