/** Attempts to make the audit call something lost that is not, or nothing lost where something is. */
import { expect } from 'chai';
import { sql as raw } from 'kysely';
import { openAuditBench } from './support/audit-bench.js';
import { accepted, batchOf, idOf, sourceId, started, succeeded } from './support/events.js';
import { everyEngine } from './support/stores.js';

const [serve, work] = [sourceId('a'), sourceId('b')];

for (const [engine, makeStores] of everyEngine) {
  describe(`the audit on ${engine} is not deceived`, () => {
    const stores = makeStores();
    afterEach(() => stores.close());

    it('by a recorder that still has a batch in hand while another one writes later batches', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(batchOf(serve, 1, [accepted(1)]));
      await bench.tell(batchOf(work, 1, [started(1)]));
      // Batch 2, in which job 1 succeeds, is in the hands of a recorder whose database does not answer for 20 s.
      await bench.tell(batchOf(work, 3, []));
      await bench.upkeep.round();
      await bench.clock.advance(3_000);
      await bench.report();
      await bench.signsOfLife();
      const during = await bench.report();
      expect([during.verdict, during.unaccounted, during.proof.state]).to.deep.equal(['open', 0, 'none']);
      await bench.tell(batchOf(work, 2, [succeeded(1)]));
      await bench.upkeep.round();
      const after = await bench.report();
      expect([after.verdict, after.unaccounted, after.gaps]).to.deep.equal(['clean', 0, []]);
    });

    it('by a worker that took jobs and blocks its own loop, so that it cannot tell that it has them', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(batchOf(serve, 1, [accepted(1)]));
      await bench.tell(batchOf(work, 1, [])); // It had none when it was last heard.
      for (const [seq, silentMs] of [
        [2, 60_000],
        [3, 120_000],
        [4, 179_000],
      ] as const) {
        await bench.clock.advance(15_000);
        await bench.tell(batchOf(serve, seq, []));
        await bench.change(silent(silentMs));
        const { verdict, unaccounted, proof } = await bench.report();
        expect([verdict, unaccounted, proof.state], `${silentMs}`).to.deep.equal(['open', 0, 'none']);
      }
      await bench.tell(batchOf(work, 2, [succeeded(1)]));
      expect(await bench.report()).to.include({ verdict: 'clean', unaccounted: 0 });
    });

    it('by such a worker for ever: after three minutes its broker has taken back what it had', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(batchOf(serve, 1, [accepted(1)]));
      await bench.tell(batchOf(work, 1, []));
      for (const seq of [2, 3]) {
        await bench.clock.advance(15_000);
        await bench.tell(batchOf(serve, seq, []));
        await bench.change(silent(181_000));
        await bench.report();
      }
      const report = await bench.report();
      expect([report.verdict, report.unaccounted]).to.deep.equal(['fault', 1]);
    });

    it('by a row that was made to have ended, or not to, in one of two columns', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(batchOf(serve, 1, [accepted(1), accepted(2)]));
      await bench.tell(batchOf(work, 1, [succeeded(1)]));
      bench.broker.ready = 1;
      expect((await bench.report()).unaccounted).to.equal(0);
      await bench.change(raw`update sluice_jobs set finished_at_ms = null where id = ${idOf(1)}`);
      await bench.change(raw`update sluice_jobs set finished_at_ms = 5 where id = ${idOf(2)}`);
      const report = await bench.report();
      expect([report.verdict, report.unaccounted]).to.deep.equal(['fault', 2]);
      expect(report.edited.map(({ id, expected }) => [id, expected])).to.deep.equal([
        [idOf(1), 'succeeded'],
        [idOf(2), 'queued'],
      ]);
    });
  });
}

/** The worker was last heard so long before the others. Stores take the time of the machine. */
function silent(ms: number) {
  return raw`update sluice_sources set last_at_ms = (select max(last_at_ms) from sluice_sources where source = ${serve}) - ${raw.lit(ms)} where source = ${work}`;
}
