import { expect } from 'chai';
import { parseWrk } from './http-load.js';
import { type Comparison, median, ratio, table } from './report.js';

describe('the report of a bench', () => {
  const comparison: Comparison = {
    what: 'drain',
    unit: 'jobs',
    reference: 'amqplib',
    goal: 0.7,
    ours: [{ perSecond: 900 }, { perSecond: 1000, p50Ms: 2, p99Ms: 9 }, { perSecond: 100 }],
    theirs: [{ perSecond: 1000 }, { perSecond: 1250 }, { perSecond: 1000 }],
  };

  it('takes the middle value, or the mean of the middle two', () => {
    expect(median([9, 1, 5])).to.equal(5);
    expect(median([4, 1, 2, 9])).to.equal(3);
    expect(() => median([])).to.throw(RangeError);
  });

  it('compares round by round', () => {
    expect(ratio(comparison)).to.equal(0.8);
  });

  it('prints rates, latencies, the ratio and whether it reaches the goal', () => {
    const [head, row] = table([comparison]).split('\n');
    expect(head).to.contain('ratio');
    expect(row).to.contain('drain (jobs)').and.contain('900').and.contain('2.0 / 9.0');
    expect(row).to.match(/0\.80 +>= 0\.70 +reached$/);
    expect(table([{ ...comparison, goal: 0.9 }])).to.contain('not reached');
  });
});

describe("wrk's report", () => {
  const report = `Running 1s test @ http://127.0.0.1:1/v1/jobs
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     4.28ms    5.98ms 122.99ms   98.32%
  Latency Distribution
     50%  850.00us
     90%    4.44ms
     99%    1.20s
  17234 requests in 1.10s, 3.35MB read
  Socket errors: connect 1, read 2, write 0, timeout 3
  Non-2xx or 3xx responses: 40
Requests/sec:  15665.60
Transfer/sec:      3.05MB
`;

  it('is read with its units, and every fault is counted', () => {
    expect(parseWrk(report)).to.deep.equal({ perSecond: 15665.6, p50Ms: 0.85, p99Ms: 1200, faults: 46 });
  });

  it('is refused when it does not say the rate', () => {
    expect(() => parseWrk('unable to connect')).to.throw('wrk printed no');
  });
});
