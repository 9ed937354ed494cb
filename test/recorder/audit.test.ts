import { expect } from 'chai';
import { sql as raw } from 'kysely';
import Value from 'typebox/value';
import { AuditReport } from '../../src/api/audit.js';
import { openAuditBench, START_MS } from './support/audit-bench.js';
import { accepted, batchOf, deadLettered, idOf, sourceId, started, succeeded } from './support/events.js';
import { everyEngine } from './support/stores.js';

const [serve, work] = [sourceId('a'), sourceId('b')];

for (const [engine, makeStores] of everyEngine) {
  describe(`the audit on ${engine}`, () => {
    const stores = makeStores();
    afterEach(() => stores.close());

    it('finds nothing wrong after a clean run, before and after retention', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(
        batchOf(
          serve,
          1,
          [1, 2, 3, 4].map((n) => accepted(n)),
        ),
      );
      await bench.tell(batchOf(work, 1, [succeeded(1), succeeded(2), deadLettered(3)]));
      await bench.tell(batchOf(work, 2, [succeeded(4)]));
      const report = await bench.report();
      expect(Value.Errors(AuditReport, report)).to.deep.equal([]);
      expect(report).to.include({ verdict: 'clean', unaccounted: 0, difference: 0 });
      expect(report.accepted).to.deep.equal({ told: 4, again: 0, implied: 0 });
      expect(report.findings).to.deep.equal([]);
      expect(await bench.retention.deleteJobs(['succeeded'], START_MS + 1_000_000, 2)).to.equal(2);
      const later = await bench.report();
      expect(later).to.include({ verdict: 'clean', unaccounted: 0, difference: 0 });
      expect(later.states['succeeded']).to.deep.equal({ rows: 1, deleted: 2 });
    });

    it('is clean while jobs wait in the broker', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(
        batchOf(
          serve,
          1,
          [1, 2, 3, 4, 5].map((n) => accepted(n)),
        ),
      );
      await bench.tell(batchOf(work, 1, [started(5)], { held: 1 }));
      bench.broker.ready = 2;
      bench.broker.delayed = 1;
      bench.broker.suspects = 1;
      expect((await bench.report()).verdict, 'the worker may have just acked it').to.equal('open');
      await bench.change(raw`UPDATE sluice_sources SET last_at_ms = ${bench.clock.now() - 3_000}`);
      const report = await bench.report();
      expect([report.verdict, report.unaccounted, report.open.missing]).to.deep.equal(['clean', 0, 0]);
    });

    it('is open while events or dead letters wait for a recorder, or a batch has just been overtaken', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(batchOf(serve, 1, [accepted(1)]));
      await bench.tell(batchOf(work, 1, [succeeded(1)]));
      expect((await bench.report()).verdict).to.equal('clean');
      bench.broker.events = 1;
      expect((await bench.report()).verdict).to.equal('open');
      bench.broker.events = 0;
      bench.broker.deadLetters = 1;
      expect((await bench.report()).verdict).to.equal('open');
      bench.broker.deadLetters = 0;
      await bench.tell(batchOf(work, 3, []));
      expect((await bench.report()).verdict).to.equal('open');
    });

    it('names a job that was deleted behind its back, once everything is at rest', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(batchOf(serve, 1, [accepted(1), accepted(2)]));
      await bench.tell(batchOf(work, 1, [succeeded(1)]));
      bench.broker.ready = 1;
      expect((await bench.report()).verdict).to.equal('clean');
      bench.broker.ready = 0; // Job 2 was all that waited.
      const first = await bench.report();
      expect([first.verdict, first.unaccounted, first.proof.state]).to.deep.equal(['open', 0, 'waiting']);
      expect(first.findings.map(({ code, count, ids }) => [code, count, ids])).to.deep.equal([
        ['job_missing', 1, [idOf(2)]],
      ]);
      await bench.signsOfLife();
      const second = await bench.report();
      expect([second.verdict, second.unaccounted, second.proof.state]).to.deep.equal(['fault', 1, 'proven']);
      expect(second.findings.map(({ code, count, ids }) => [code, count, ids])).to.deep.equal([
        ['job_lost', 1, [idOf(2)]],
      ]);
      expect(second.open.queues).to.deep.equal([{ queue: 'default', rows: 1, ready: 0 }]);

      // It stays lost when others come, and these are not accused.
      bench.broker.ready = 1;
      await bench.tell(batchOf(serve, 9, [accepted(50_000)]), { filled: [serve, 3, 8] });
      const third = await bench.report();
      expect([third.verdict, third.unaccounted]).to.deep.equal(['fault', 1]);
    });

    it('does not take a delayed job for lost before it must have left its delay level, where nobody can count it', async () => {
      const bench = await openAuditBench(stores);
      const scheduled = { ...accepted(2), dueAtMs: START_MS + 20_000 };
      await bench.tell(batchOf(serve, 1, [accepted(1), scheduled]));
      await bench.tell(batchOf(work, 1, [succeeded(1)]));
      for (let look = 0; look < 3; look++) {
        await bench.report();
        await bench.signsOfLife();
      }
      const early = await bench.report();
      expect([early.proof.state, early.verdict, early.unaccounted]).to.deep.equal(['proven', 'open', 0]);
      expect(early.findings.map(({ code, ids }) => [code, ids])).to.deep.equal([['job_missing', [idOf(2)]]]);
      await bench.clock.advance(240_000);
      for (let look = 0; look < 2; look++) {
        await bench.report();
        await bench.signsOfLife();
      }
      const late = await bench.report();
      expect([late.verdict, late.unaccounted]).to.deep.equal(['fault', 1]);
    });

    it('accuses no job that comes after the proof under an older id, and none of which it hears again', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(batchOf(serve, 1, [accepted(1), accepted(2)]));
      await bench.tell(batchOf(work, 1, [started(2)]));
      for (let look = 0; look < 2; look++) {
        await bench.report();
        await bench.signsOfLife();
      }
      const proven = await bench.report();
      expect(proven.findings.map(({ code, ids }) => [code, ids])).to.deep.equal([
        ['job_lost', [idOf(1), idOf(2)]],
      ]);
      // Published again under its id after an unknown outcome, or by a process whose clock is late.
      bench.broker.ready = 1;
      await bench.tell(batchOf(serve, 4, [accepted(0)]));
      expect((await bench.report()).findings.map(({ ids }) => ids)).to.deep.equal([[idOf(1), idOf(2)]]);
      await bench.tell(batchOf(work, 4, [succeeded(1), { ...started(2), attempt: 2 }], { held: 1 }));
      const later = await bench.report();
      expect(later.findings).to.deep.equal([]);
      expect([later.verdict, later.unaccounted]).to.deep.equal(['open', 0]);
    });

    it('calls a gap no fault while batches wait for a recorder', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(batchOf(serve, 2, []));
      await bench.upkeep.round();
      await bench.clock.advance(60_000);
      bench.broker.events = 1;
      const catchingUp = await bench.report();
      expect(catchingUp.findings.map(({ code, severity }) => [code, severity])).to.deep.equal([
        ['batches_missing', 'notice'],
      ]);
      bench.broker.events = 0;
      expect((await bench.report()).verdict).to.equal('fault');
    });

    it('proves nothing before every living process has given a sign of life', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(batchOf(serve, 1, [accepted(1)]));
      await bench.tell(batchOf(work, 1, []));
      await bench.report();
      await bench.clock.advance(10_000);
      await bench.tell(batchOf(serve, 2, []));
      const second = await bench.report();
      expect([second.proof.state, second.unaccounted]).to.deep.equal(['waiting', 0]);
      expect(second.proof.detail).to.contain('host-of-bbbb');
      await bench.tell(batchOf(work, 2, [succeeded(1)]));
      expect((await bench.report()).verdict).to.equal('clean');
    });

    it('proves nothing while events wait for the recorder, or the broker cannot be asked', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(batchOf(serve, 1, [accepted(1)]));
      bench.broker.events = 1;
      for (let look = 0; look < 3; look++) {
        expect((await bench.report()).proof.state).to.equal('none');
        await bench.signsOfLife();
      }
      bench.broker.isAway = true;
      const report = await bench.report();
      expect([report.verdict, report.broker, report.unaccounted]).to.deep.equal(['open', null, 0]);
      expect(report.findings.map(({ code }) => code)).to.deep.equal(['broker_unknown']);
    });

    it('names a batch of events that was lost, and what became of its jobs', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(batchOf(serve, 1, [accepted(1)]));
      // Batch 1 of the worker, in which job 1 succeeded, never comes.
      await bench.tell(batchOf(work, 2, []));
      expect((await bench.report()).gaps).to.deep.equal([]);
      await bench.upkeep.round();
      for (let look = 0; look < 2; look++) {
        await bench.signsOfLife();
        await bench.report();
      }
      await bench.signsOfLife();
      const report = await bench.report();
      expect(report.gaps.map(({ source, host, first, last }) => [source, host, first, last])).to.deep.equal([
        [work, 'host-of-bbbb 1', 1, 1],
      ]);
      expect(report.findings.map(({ code, count }) => [code, count])).to.deep.equal([
        ['batches_missing', 1],
        ['job_lost', 1],
      ]);
      expect([report.verdict, report.unaccounted]).to.deep.equal(['fault', 1]);
    });

    it('forgives a batch that comes late', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(batchOf(serve, 2, [accepted(2)]));
      await bench.upkeep.round();
      await bench.tell(batchOf(serve, 1, [accepted(1)]));
      await bench.tell(batchOf(work, 1, [succeeded(1), succeeded(2)]));
      await bench.clock.advance(60_000);
      await bench.upkeep.round();
      const report = await bench.report();
      expect([report.verdict, report.accepted.told, report.gaps]).to.deep.equal(['clean', 2, []]);
    });

    it('names a process that ended without a goodbye, with its host; one that said it is not named', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(batchOf(serve, 1, []));
      await bench.tell(batchOf(work, 1, []));
      const third = sourceId('c');
      await bench.tell(batchOf(third, 1, [], { isLast: true }));
      await bench.change(
        raw`update sluice_sources set last_at_ms = last_at_ms - 46000 where source in (${work}, ${third})`,
      );
      const report = await bench.report();
      expect(report.silent.map(({ source, host }) => [source, host])).to.deep.equal([
        [work, 'host-of-bbbb 1'],
      ]);
      expect(report.findings.map(({ code, severity }) => [code, severity])).to.deep.equal([
        ['source_silent', 'notice'],
      ]);
      expect(report.unaccounted).to.equal(0);
    });

    it('names a row that somebody edited', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(batchOf(serve, 1, [accepted(1), accepted(2), succeeded(1), succeeded(2)]));
      await bench.change(raw`update sluice_jobs set state = 'dead' where id = ${idOf(1)}`);
      await bench.change(raw`update sluice_jobs set attempt = 3 where id = ${idOf(2)}`);
      const report = await bench.report();
      expect(report.edited).to.deep.equal([
        { id: idOf(1), state: 'dead', expected: 'succeeded' },
        { id: idOf(2), state: 'succeeded', expected: 'succeeded' },
      ]);
      expect([report.verdict, report.unaccounted]).to.deep.equal(['fault', 2]);
    });

    it('counts a row that somebody deleted, and one that somebody made', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(batchOf(serve, 1, [accepted(1), accepted(2), succeeded(1), succeeded(2)]));
      await bench.change(raw`delete from sluice_jobs where id = ${idOf(1)}`);
      const less = await bench.report();
      expect([less.verdict, less.unaccounted, less.difference]).to.deep.equal(['fault', 1, 1]);
      expect(less.findings.map(({ code, count }) => [code, count])).to.deep.equal([['rows_missing', 1]]);
      await bench.tell(batchOf(serve, 1, [accepted(1), accepted(3), accepted(4)])); // A batch comes again, changed.
      const more = await bench.report();
      expect([more.verdict, more.difference]).to.deep.equal(['fault', -2]);
    });

    it('takes a second acceptance after an unknown outcome for no fault, whether or not the first was told', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(batchOf(serve, 1, [accepted(1), accepted(2)]));
      await bench.tell(batchOf(serve, 2, [accepted(2, { isAgain: true }), accepted(3, { isAgain: true })]));
      await bench.tell(batchOf(work, 1, [succeeded(1), succeeded(2), succeeded(3)]));
      const report = await bench.report();
      expect([report.verdict, report.difference, report.accepted]).to.deep.equal([
        'clean',
        0,
        { told: 2, again: 2, implied: 0 },
      ]);
    });

    it('knows jobs whose acceptance was never told by what happened to them', async () => {
      const bench = await openAuditBench(stores);
      await bench.tell(batchOf(work, 1, [succeeded(1), succeeded(2)]));
      const report = await bench.report();
      expect([report.verdict, report.unaccounted, report.accepted.implied]).to.deep.equal(['clean', 0, 2]);
      expect(report.findings.map(({ code, count }) => [code, count])).to.deep.equal([
        ['acceptance_unrecorded', 2],
      ]);
    });

    it('says that the broker holds more than has been recorded', async () => {
      const bench = await openAuditBench(stores);
      bench.broker.ready = 3;
      const report = await bench.report();
      expect(report.findings.map(({ code, count }) => [code, count])).to.deep.equal([['job_unrecorded', 3]]);
    });

    it('counts an acceptance that the database refused as missing, and says where it is', async () => {
      const bench = await openAuditBench(stores, (ids) => ids.includes(idOf(2)));
      await bench.tell(batchOf(serve, 1, [accepted(1), accepted(2)]));
      await bench.tell(batchOf(work, 1, [succeeded(1)]));
      const report = await bench.report();
      expect(report.findings.map(({ code, count }) => [code, count])).to.deep.equal([
        ['rows_missing', 1],
        ['quarantined', 1],
      ]);
    });
  });
}
