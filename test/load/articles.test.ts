import { expect } from 'chai';
import { articlesTable, manyConnections, slowDrain } from './articles.js';
import type { Sample } from './report.js';
import type { Result, Results } from './results.js';

describe('what articles say, and what was measured', () => {
  const result = (bench: string, what: string, ours: readonly Sample[]): Result => ({
    bench,
    what,
    ours,
    theirs: ours,
    on: '',
    machine: '',
    unit: '',
    reference: '',
    goal: 1,
  });
  const ingestion = result('ingestion', 'POST', [{ perSecond: 9_000, p50Ms: 5, p99Ms: 18.42, p999Ms: 30 }]);
  const workers = [1, 2, 4, 8].map((many) => result('scale', slowDrain(many), [{ perSecond: 490 * many }]));
  const steady = (faults: number): Result =>
    result('steady', manyConnections, [
      { perSecond: 8_000, answers: 6_000, faults },
      { perSecond: 8_200, answers: 4_000, faults: 0 },
    ]);
  const of = (...comparisons: Result[]): string[] => {
    const results: Results = { comparisons, notes: {} };
    return articlesTable(results).split('\n').slice(2);
  };

  it('answers each question by the comparison that was made for it', () => {
    const rows = of(ingestion, ...workers, steady(0));
    expect(rows).to.have.length(4);
    expect(rows[0]).to.contain('| 80 ms -> 8 ms | 5.0 / 18.4 / 30.0 ms');
    expect(rows[1]).to.contain('| 1,200 -> 8,000 | 9,000 ');
    expect(rows[2])
      .to.contain('| 850, 3,200, 4,100 | 490, 1,960, 3,920 of 20 ms')
      .and.contain('500, 2,000, 4,000');
    expect(rows[3]).to.contain('| 1.3 % | none of 10,000 requests, at 8,100/s |');
  });

  it('tells the errors, if there were any', () => {
    expect(of(steady(25))[0]).to.contain('| 0.25 % of 10,000 requests');
  });

  it('leaves out what has not been kept', () => {
    expect(of()).to.deep.equal([]);
    expect(of(ingestion, ...workers.slice(1))).to.have.length(2);
    expect(of(...workers)).to.have.length(1);
  });
});
