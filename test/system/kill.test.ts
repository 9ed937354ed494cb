import { expect } from 'chai';
import { type KillReport, type Life, runKills } from '../load/kill-run.js';
import { until } from '../load/waiting.js';

/** The small version of `npm run kill`. */
describe('sluice start, killed while jobs come in and are worked on', () => {
  const JOBS = 300;
  /** Each life ends once so many have arrived. */
  const killAt = [1, 60, 120, 180];
  let report: KillReport;

  before(async function () {
    this.timeout(120_000);
    report = await runKills({
      jobs: JOBS,
      concurrency: 5,
      sinkDelayMs: 10,
      async untilKill({ number, ready, arrived }: Life) {
        const atLeast = killAt[number];
        if (atLeast === undefined) return never;
        await ready;
        await until(async () => (await arrived()) >= atLeast, never);
      },
      say: () => {},
    });
  });
  const never = new Promise<void>(() => {});

  it('hands every job it has accepted to its handler', () => {
    expect(report.ledger.lost).to.deep.equal([]);
    expect(report.ledger).to.include({ accepted: JOBS, delivered: JOBS });
  });

  it('runs a job twice only when it was running at a kill', () => {
    expect(report.kills).to.equal(killAt.length);
    expect(report.ledger.unexplained).to.deep.equal([]);
  });

  it('leaves its file whole and empty', () => {
    expect(report.check).to.equal('ok');
    expect(report.left).to.deep.equal({ jobs: 0, delayed: 0, suspects: 0, dead: 0 });
  });
});
