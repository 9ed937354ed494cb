/** The conformance suite's part about the registers and the idempotency keys. */
import { expect } from 'chai';
import type { IdempotencyReservation } from '../../src/store/store.js';
import type { StorePair } from './pair.js';
import { accepted, died, jobNumber, recordingOf, startMs, succeeded } from './rows.js';

export function exerciseRegisters(bench: StorePair): void {
  it('keeps orders to cancel, also when their run has ended: its delivery may come again', async () => {
    const { registers, records } = bench.store;
    const [ending, unknown] = [jobNumber(1), jobNumber(2)];
    await records.record(recordingOf([accepted(ending)]));
    await registers.cancel(ending.id, 1, 5);
    await registers.cancel(ending.id, 1, 6);
    await registers.cancel(ending.id, 2, 7);
    await registers.cancel(unknown.id, 1, 8);
    expect(await registers.cancelRequestedAt(ending.id, 1)).to.equal(5);
    expect(await registers.cancelRequestedAt(ending.id, 3)).to.equal(undefined);
    expect((await registers.orders()).cancels).to.have.deep.members([
      { id: ending.id, run: 1 },
      { id: ending.id, run: 2 },
      { id: unknown.id, run: 1 },
    ]);
    await records.record(recordingOf([succeeded(ending)]));
    expect((await registers.orders()).cancels).to.have.lengthOf(3);
  });

  it('changes of a queue what is named, and nothing else', async () => {
    const { registers } = bench.store;
    expect(await registers.orders()).to.deep.equal({ cancels: [], queues: [] });
    expect(await registers.orderQueue('mail', { isPaused: true })).to.deep.equal({
      queue: 'mail',
      isPaused: true,
    });
    await registers.orderQueue('mail', { concurrency: 3 });
    const changed = await registers.orderQueue('mail', { purgedThroughMs: startMs });
    const all = { queue: 'mail', isPaused: true, concurrency: 3, purgedThroughMs: startMs };
    expect(changed).to.deep.equal(all);
    expect((await registers.orders()).queues).to.deep.equal([all]);
    expect(await registers.orderQueue('mail', { isPaused: false, concurrency: null })).to.deep.equal({
      queue: 'mail',
      isPaused: false,
      purgedThroughMs: startMs,
    });
  });

  it('gives the right to replay to one of many, and again when it was not used in time or the next run has died', async () => {
    const job = jobNumber(1);
    const { other } = bench;
    await bench.store.records.record(recordingOf([died(job, startMs)]));
    const claims = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        (i % 2 === 0 ? bench.store : other).registers.claimReplay(job.id, 1, 100, 200),
      ),
    );
    const given = claims.filter((claim) => claim !== undefined);
    expect(given).to.have.length(1);
    expect(given[0]?.row).to.include({ id: job.id, run: 1, state: 'dead' });
    expect(given[0]?.payload).to.equal('{"n":1}');
    const { registers, records } = bench.store;
    expect(await registers.claimReplay(job.id, 1, 199, 300)).to.equal(undefined);
    expect(await registers.claimReplay(job.id, 1, 200, 300), 'its time is over').not.to.equal(undefined);
    expect(await registers.claimReplay(job.id, 2, 200, 300), 'another run').to.equal(undefined);
    await records.record(recordingOf([{ ...job, run: 2 as 1, kind: 'replayed' }]));
    expect(await registers.claimReplay(job.id, 1, 1000, 2000), 'it runs again').to.equal(undefined);
    await records.record(recordingOf([died({ ...job, run: 2 as 1 }, startMs + 1)]));
    expect(await registers.claimReplay(job.id, 2, 250, 300), 'the next one').not.to.equal(undefined);
    expect(await registers.claimReplay(jobNumber(2).id, 1, 0, 1)).to.equal(undefined);
  });

  const reservation: IdempotencyReservation = {
    owner: 'shop',
    key: 'order 1',
    jobId: jobNumber(1).id,
    dueAtMs: startMs,
    bodyHash: 'aa',
    leaseUntilMs: 1_000,
    expiresAtMs: 10_000,
  };

  it('gives an idempotency key to one of many, and shows the others who has it', async () => {
    const { other } = bench;
    const tries = Array.from({ length: 12 }, (_, i) => ({ ...reservation, jobId: jobNumber(i).id }));
    const answers = await Promise.all(
      tries.map((one, i) => (i % 2 === 0 ? bench.store : other).idempotency.reserve(one, 0)),
    );
    const winners = answers.flatMap((answer, i) => (answer.kind === 'taken' ? [tries[i]] : []));
    expect(winners).to.have.length(1);
    for (const answer of answers) {
      if (answer.kind === 'held') expect(answer.by).to.deep.equal({ ...winners[0], isDone: false });
    }
    expect(await bench.store.idempotency.reserve({ ...reservation, owner: '' }, 0)).to.deep.equal({
      kind: 'taken',
    });
  });

  it('leads a key through its life: done, released, taken over, expired', async () => {
    const { idempotency } = bench.store;
    const rival = { ...reservation, jobId: jobNumber(2).id };
    const { owner, key } = reservation;
    await idempotency.reserve(reservation, 0);
    expect(await idempotency.reserve(reservation, 0), 'the answer was lost').to.deep.equal({ kind: 'taken' });
    await idempotency.release(owner, key, rival.jobId);
    expect(await idempotency.reserve(rival, 0), 'not its own').to.have.property('kind', 'held');
    const takeovers = await Promise.all([1, 2, 3].map(() => idempotency.takeOver(owner, key, 1_000, 2_000)));
    expect(takeovers.filter(Boolean)).to.have.length(1);
    expect(await idempotency.reserve(rival, 0)).to.have.nested.property('by.leaseUntilMs', 2_000);
    await idempotency.release(owner, key, reservation.jobId);
    expect(await idempotency.reserve(rival, 0)).to.deep.equal({ kind: 'taken' });
    await idempotency.done(owner, key);
    await idempotency.release(owner, key, rival.jobId);
    expect(await idempotency.takeOver(owner, key, 1_000, 2_000), 'done').to.equal(false);
    const held = await idempotency.reserve(rival, 9_999);
    expect(held).to.have.nested.property('by.isDone', true);
    expect(await idempotency.reserve(reservation, 10_000), 'expired').to.deep.equal({ kind: 'taken' });
  });

  it('sweeps expired keys, a few at a time', async () => {
    const { idempotency } = bench.store;
    for (let i = 0; i < 5; i++)
      await idempotency.reserve({ ...reservation, key: `k${i}`, expiresAtMs: i * 100 }, -1);
    expect(await idempotency.sweep(300, 3)).to.equal(3);
    expect(await idempotency.sweep(300, 3)).to.equal(1);
    expect(await idempotency.sweep(300, 3)).to.equal(0);
    expect(
      await idempotency.reserve({ ...reservation, key: 'k4', jobId: jobNumber(2).id }, 0),
    ).to.have.property('kind', 'held');
  });
}
