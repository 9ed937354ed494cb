import { expect } from 'chai';
import { startProcess } from '../support/sluice.js';
import { chart } from './chart.js';
import { parseWrk } from './http-load.js';
import { type Comparison, costTable, median, ratio, table } from './report.js';
import { merged } from './results.js';
import { startMeter } from './usage.js';

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

  it('prints what a job costs where that was measured', () => {
    const usage = { ownUs: 61.4, serversUs: 17, residentMb: 120 };
    const measured = { ...comparison, ours: [{ perSecond: 1, usage }], theirs: [{ perSecond: 1, usage }] };
    expect(costTable([comparison])).to.equal('');
    expect(costTable([comparison, measured]).split('\n')[1]).to.match(
      /^drain \(jobs\) +61 +17 +120 +amqplib +61 +17 +120$/,
    );
  });

  it('draws a bar as long as the ratio, by its goal, and lets no name break the picture', () => {
    const drawn = chart([
      { ...comparison, what: 'a <b> & c' },
      { ...comparison, goal: 0.9 },
    ]);
    expect(drawn.match(/class="reached"/g)).to.have.length(1);
    expect(drawn.match(/class="missed"/g)).to.have.length(1);
    expect(drawn).to.contain('a &lt;b&gt; &amp; c (jobs)').and.contain('>0.80<');
    const [width] = [...drawn.matchAll(/<rect[^>]* width="([\d.]+)"/g)].map(([, found]) => Number(found));
    const [longest] = [
      ...chart([{ ...comparison, ours: comparison.theirs }]).matchAll(/<rect[^>]* width="([\d.]+)"/g),
    ].map(([, found]) => Number(found));
    expect((width ?? 0) / (longest ?? 1)).to.be.closeTo(0.8, 0.01);
  });

  it('is kept bench by bench', () => {
    const of = (bench: string, goal: number) => ({ ...comparison, bench, on: '', machine: '', goal });
    const before = {
      comparisons: [of('batch', 1), of('drain', 2), of('drain', 3), of('embedded', 4)],
      notes: { drain: ['old'], embedded: ['kept'] },
    };
    const made = new Map([
      ['drain', { comparisons: [{ ...comparison, goal: 5 }], notes: ['new'] }],
      ['tracing', { comparisons: [{ ...comparison, goal: 6 }], notes: [] }],
    ]);
    const now = merged(before, made, new Date('2026-01-02T03:04:05Z'));
    expect(now.comparisons.map(({ bench, goal }) => [bench, goal])).to.deep.equal([
      ['batch', 1],
      ['drain', 5],
      ['embedded', 4],
      ['tracing', 6],
    ]);
    expect(now.comparisons[1]?.on).to.equal('2026-01-02');
    expect(now.notes).to.deep.equal({ drain: ['new'], embedded: ['kept'], tracing: [] });
  });
});

describe('the meter of a bench', () => {
  it('counts what a program of ours spends, and what it holds', async function () {
    if (process.platform !== 'linux') this.skip();
    const busy = "process.stdin.resume(); for (let i = 0; i < 3e8; i++); console.log('done')";
    const idle = startProcess(['-e', "setInterval(() => {}, 1e6); console.log('done')"]);
    await idle.waitForLine(/done/);
    const meter = startMeter();
    const ofIdle = startMeter([idle.pid]);
    const program = startProcess(['-e', `${busy}; setInterval(() => {}, 1e6)`]);
    await program.waitForLine(/done/);
    const usage = meter(10);
    expect(usage?.ownUs).to.be.greaterThan(1000);
    expect(usage?.residentMb).to.be.greaterThan(20);
    expect(ofIdle(10)?.ownUs).to.be.lessThan(usage?.ownUs ?? 0);
    expect(meter(0)).to.equal(undefined);
    for (const one of [program, idle]) {
      one.kill('SIGKILL');
      await one.exited;
    }
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
  99.9% 2500us
`;

  it('is read with its units, and every fault is counted', () => {
    expect(parseWrk(report)).to.deep.equal({
      perSecond: 15665.6,
      p50Ms: 0.85,
      p99Ms: 1200,
      p999Ms: 2.5,
      answers: 17234,
      faults: 46,
    });
  });

  it('is refused when it does not say the rate', () => {
    expect(() => parseWrk('unable to connect')).to.throw('wrk printed no');
  });
});
