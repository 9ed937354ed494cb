/** The conformance suite's part about what the recorder writes. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { JobEvent } from '../../src/job/event.js';
import { type AttemptRow, fold, type JobRow } from '../../src/job/fold.js';
import { builderOf } from '../../src/store/builders.js';
import type { SqlStore } from '../../src/store/sql-store.js';
import { anyEvent } from '../job/support/any-event.js';
import { clear, type StorePair } from './pair.js';
import { accepted, jobNumber, receiptOf, recordingOf, startMs, succeeded } from './rows.js';

async function contentOf(store: SqlStore, ids: readonly string[]) {
  const found = await Promise.all(ids.map((id) => store.jobs.get(id)));
  const rows: JobRow[] = [];
  const attempts: AttemptRow[] = [];
  const payloads: { id: string; payload: string }[] = [];
  for (const one of found) {
    if (one === undefined) continue;
    rows.push(one.row);
    attempts.push(...one.attempts);
    if (one.payload !== undefined) payloads.push({ id: one.row.id, payload: one.payload });
  }
  return { rows, attempts, payloads };
}

export function exerciseRecords(bench: StorePair): void {
  it('merges as the pure fold does: any events, in any batches, any order, again, by several recorders at once', async function () {
    this.timeout(120_000);
    const { other } = bench;
    const batches = fc.array(fc.array(anyEvent, { minLength: 1, maxLength: 6 }), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(batches, fc.boolean(), async (made, isAtOnce) => {
        await clear(bench.store);
        const events = made.flat();
        const record = (batch: readonly JobEvent[], i: number): Promise<void> =>
          (i % 2 === 0 ? bench.store : other).records.record(recordingOf(batch));
        if (isAtOnce) await Promise.all([...made, ...made].map(record));
        else for (const [i, batch] of made.entries()) await record(batch, i);
        const folded = fold(events);
        const ids = folded.rows.map(({ id }) => id);
        expect(await contentOf(bench.store, ids)).to.deep.equal({
          rows: folded.rows,
          attempts: folded.attempts,
          payloads: folded.payloads.map(({ id, payload }) => ({ id, payload })),
        });
      }),
      { numRuns: 60 },
    );
  });

  it('takes recordings of any size, and lets several recorders write the same jobs in opposite order', async () => {
    const jobs = Array.from({ length: 1_111 }, (_, i) => jobNumber(i));
    const { other } = bench;
    await Promise.all(
      [bench.store, other, bench.store, other].map((store, i) => {
        const events = jobs.map((job) => (i % 2 === 0 ? accepted(job) : succeeded(job)));
        return store.records.record(recordingOf(i < 2 ? events : events.toReversed()));
      }),
    );
    expect(await bench.store.jobs.counts(startMs)).to.deep.equal([]);
    const { rows } = await bench.store.jobs.list({ state: 'succeeded' }, { limit: 2_000, nowMs: startMs });
    expect([rows.length, await bench.store.jobs.size()]).to.deep.equal([1_111, 1_111]);
  });

  it('keeps texts as they are, U+0000 and half a surrogate pair cost no job its row', async () => {
    const job = jobNumber(1);
    const failure = { name: 'E', message: 'nul \0, pair 😀, half \ud83d' };
    const payload = JSON.stringify({ 'nul \0': '\u0001 é 😀 "\\' });
    await bench.store.records.record(
      recordingOf([
        { ...job, kind: 'progressed', step: 1, percent: 12.5, note: 'raw \0 nul' },
        { ...job, kind: 'deadLettered', reason: 'permanent', failure, payload },
      ]),
    );
    const found = await bench.store.jobs.get(job.id);
    expect(found?.payload).to.equal(payload);
    expect(JSON.parse(found?.row.failure ?? '')).to.deep.equal(failure);
    expect(found?.row).to.have.property('percent', 12.5);
    expect(found?.row.note).to.match(/^raw . nul$/s);
    const raw = recordingOf([succeeded(jobNumber(2))]);
    await bench.store.records.record({ ...raw, rows: raw.rows.map((row) => ({ ...row, result: '"a\0b"' })) });
    const [row] = (await bench.store.jobs.list({ state: 'succeeded' }, { limit: 1, nowMs: 0 })).rows;
    expect(row?.result === '"a\0b"' || row?.result === '"a\\u0000b"').to.equal(true);
  });

  it('takes large texts', async () => {
    const jobs = Array.from({ length: 5 }, (_, i) => jobNumber(i));
    const payload = JSON.stringify('x'.repeat(1_000_000));
    await bench.store.records.record(
      recordingOf(jobs.map((job) => ({ ...job, kind: 'accepted' as const, payload }))),
    );
    for (const { id } of jobs) expect((await bench.store.jobs.get(id))?.payload).to.equal(payload);
  });

  it('counts each batch of a source once, and keeps what its newest receipt says', async () => {
    const receipts = [
      receiptOf('s1', 2, { held: 7, accepted: 3 }),
      receiptOf('s1', 1, { held: 9, accepted: 5, acceptedAgain: 1 }),
    ];
    await bench.store.records.record(recordingOf([], { receipts }));
    await bench.store.records.record(recordingOf([], { receipts: [...receipts, ...receipts] }));
    await bench.store.records.record(recordingOf([], { receipts: [receiptOf('s1', 3, { isLast: true })] }));
    await bench.store.records.record(recordingOf([], { receipts: [receiptOf('s1', 1, { held: 9 })] }));
    const { sql } = bench.store;
    const build = builderOf(sql.dialect);
    expect(
      await sql.read(
        build
          .selectFrom('sluice_source_batches')
          .select(['seq', 'accepted', 'accepted_again'])
          .orderBy('seq')
          .compile(),
      ),
    ).to.deep.equal([
      { seq: 1, accepted: 5, accepted_again: 1 },
      { seq: 2, accepted: 3, accepted_again: 0 },
      { seq: 3, accepted: 0, accepted_again: 0 },
    ]);
    const [source] = await sql.read(build.selectFrom('sluice_sources').selectAll().compile());
    expect(source).to.include({
      source: 's1',
      role: 'work',
      host: 'here 1',
      last_seq: 3,
      held: 0,
      has_ended: 1,
    });
  });

  it('adds up the flow of a queue, also within one recording', async () => {
    const counts = { succeeded: 1, retried: 2, dead: 3, cancelled: 4 };
    const flow = [
      { queue: 'mail', bucketMs: 20_000, accepted: 10, ...counts },
      { queue: 'mail', bucketMs: 20_000, accepted: 1, ...counts },
      { queue: 'mail', bucketMs: 10_000, accepted: 100, ...counts },
      { queue: 'mail', bucketMs: 0, accepted: 1000, ...counts },
    ];
    await Promise.all([1, 2].map(() => bench.store.records.record(recordingOf([], { flow }))));
    expect(await bench.store.jobs.flow(10_000)).to.deep.equal([
      { queue: 'mail', bucketMs: 10_000, accepted: 222, succeeded: 6, retried: 12, dead: 18, cancelled: 24 },
    ]);
  });

  it('keeps the bytes of what cannot be recorded', async () => {
    const raw = Buffer.from([0, 1, 255, 0]);
    await bench.store.records.quarantine({ origin: 'events', reason: 'no JSON\0', raw, atMs: 5 });
    const { sql } = bench.store;
    const [item] = await sql.read<{ raw: Uint8Array; reason: string; at_ms: number }>(
      sql.build.selectFrom('sluice_quarantine').selectAll().compile(),
    );
    expect(Buffer.from(item?.raw ?? [])).to.deep.equal(raw);
    expect(item).to.include({ origin: 'events', at_ms: 5 });
  });

  it('keeps what cannot be recorded once, though it be delivered again, and two letters of the same bytes as two', async () => {
    const item = { origin: 'events', reason: 'no JSON', raw: Buffer.from('{}'), atMs: 5 } as const;
    const letter = { ...item, origin: 'dead', reason: 'no id; {"messageId":"a"}' } as const;
    const all = [
      item,
      { ...item, atMs: 9 },
      { ...item, reason: 'told in other words' },
      { ...item, raw: Buffer.from('{} ') },
      letter,
      { ...letter, atMs: 9 },
      { ...letter, reason: 'no id; {"messageId":"b"}' },
    ];
    await Promise.all(
      all.flatMap((one) => [bench.store.records.quarantine(one), bench.other.records.quarantine(one)]),
    );
    const { sql } = bench.store;
    const kept = await sql.read<{ origin: string; raw: Uint8Array }>(
      sql.build.selectFrom('sluice_quarantine').select(['origin', 'raw']).compile(),
    );
    expect(kept.map(({ origin, raw }) => [origin, Buffer.from(raw).toString()])).to.have.deep.members([
      ['events', '{}'],
      ['events', '{} '],
      ['dead', '{}'],
      ['dead', '{}'],
    ]);
  });
}
