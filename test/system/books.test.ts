import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { AuditReport } from '../../src/api/audit.js';
import { startBatches } from '../load/batches.js';
import { type BooksReport, runBooks } from '../load/books-run.js';
import { fateOf, requestOf } from '../load/fates.js';
import { createOperator } from '../load/operator.js';
import { launchEmbedded, untilReady } from '../load/product.js';
import { until } from '../load/waiting.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { startSluice } from '../support/sluice.js';

const HANDLERS = fileURLToPath(new URL('../load/fates-handlers.mjs', import.meta.url));

/** The small version of `npm run ledger`. */
for (const [store, recorders] of [
  ['postgres', 1],
  ['sqlite', 2],
] as const) {
  describe(`RabbitMQ, ${store} and ${recorders} recorders, each killed while jobs come in and are worked on`, () => {
    let report: BooksReport;
    before(async function () {
      this.timeout(180_000);
      report = await runBooks({ jobs: 500, batch: 25, store, recorders, replays: 5, say: () => {} });
    });

    it('account for every job', () => {
      expect([report.verify.code, report.verify.report?.verdict], report.verify.text).to.deep.equal([
        0,
        'clean',
      ]);
      expect(report.verify.report).to.include({ unaccounted: 0, difference: 0 });
      expect(report.accepted).to.equal(500);
    });

    it('agree with what the submitter and the handlers know', () => {
      expect(report.faults).to.deep.equal([]);
      expect(report.ordered).to.deep.equal({ cancels: 5, replays: 5 });
    });
  });
}

describe('sluice start on its own, killed while jobs come in and are worked on', () => {
  it('accounts for every job', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-books-'));
    const port = await freePort();
    const launch = (): ReturnType<typeof launchEmbedded> =>
      launchEmbedded(join(folder, 'data'), port, {
        HANDLERS,
        SINK_FILE: join(folder, 'sink'),
        RETRY_BASE_MS: '200',
        WORKER_CONCURRENCY: '5',
      });
    let child = launch();
    try {
      const { url } = await untilReady('sluice start', child, port);
      const { submission, done } = startBatches({
        url,
        jobs: 500,
        batch: 25,
        requestOf: (n) => requestOf(n, 2_000),
        isKeyed: () => false, // The lease of a killed process lasts a minute.
        admitted: async () => {},
      });
      for (const atLeast of [100, 300]) {
        await until(async () => submission.accepted.size >= atLeast, done);
        child.kill('SIGKILL');
        await child.exited;
        child = launch();
        await untilReady('sluice start', child, port);
      }
      await done;
      await eventually(async () => {
        const { open, verdict } = (await (await fetch(`${url}/v1/audit`)).json()) as AuditReport;
        return open.rows === 0 && verdict !== 'open';
      });
      const verify = startSluice(['verify', '--url', url, '--json']);
      const { code } = await verify.exited;
      const { verdict, unaccounted, states } = JSON.parse(verify.stdout[0] ?? '') as AuditReport;
      expect([code, verdict, unaccounted]).to.deep.equal([0, 'clean', 0]);

      const listed = await createOperator(url).list();
      const wrong = [...submission.accepted].filter(([id, n]) => {
        const isDead = ['dies', 'exhausts'].includes(fateOf(n));
        return listed.get(id) !== (isDead ? 'dead' : 'succeeded');
      });
      expect(wrong).to.deep.equal([]);
      expect(submission.accepted).to.have.property('size', 500);
      expect(submission.twice).to.deep.equal([]);
      const surplus = listed.size - submission.accepted.size;
      expect(surplus, 'jobs whose answer was lost with the process').to.be.within(0, submission.unknown);
      expect((states['succeeded']?.rows ?? 0) + (states['dead']?.rows ?? 0)).to.equal(listed.size);
    } finally {
      child.kill('SIGKILL');
      await child.exited;
      rmSync(folder, { recursive: true });
    }
  }).timeout(120_000);
});
