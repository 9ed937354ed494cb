import { expect } from 'chai';
import { Unavailable } from '../../src/job/errors.js';
import { turns } from '../support/manual-clock.js';
import { benchOf, jobOf, scriptedHandler } from './support/pool-bench.js';

async function setup(concurrency = 2) {
  const script = scriptedHandler();
  const bench = benchOf([script.handler], { queues: [{ name: 'default', concurrency }] });
  await bench.pool.start();
  return { ...bench, script };
}

const kinds = (delivery: { readonly asked: readonly { readonly kind: string }[] }): string[] =>
  delivery.asked.map((settlement) => settlement.kind);

describe('a job that is delivered again', () => {
  it('is not run twice while it runs: the new delivery is settled with its outcome', async () => {
    const { broker, script, seen } = await setup();
    const job = jobOf();
    const first = broker.deliver(job);
    const call = await script.call(0);
    first.lose();
    const second = broker.deliver(job, 1);
    call.resolve();
    expect(await second.settled).to.deep.equal({ kind: 'acked' });
    await turns();
    expect(script.calls).to.have.length(1);
    expect(seen).to.deep.include({ redelivered: [job.id], settled: [[job.id, 'succeeded', 0]] });
  });

  it('is settled by its latest delivery when it was lost many times', async () => {
    const { broker, script } = await setup();
    const job = jobOf();
    const deliveries = [broker.deliver(job)];
    const call = await script.call(0);
    for (let lostCount = 1; lostCount <= 20; lostCount++) {
      deliveries.at(-1)?.lose();
      deliveries.push(broker.deliver(job, lostCount));
    }
    call.reject(new Error('failed'));
    expect(await deliveries.at(-1)?.settled).to.have.property('kind', 'retried');
    for (const lost of deliveries.slice(0, -1)) expect(lost.asked.length).to.be.at.most(1);
  });

  it('is removed at once when it is a second copy: the prefetch it takes is not held until the job ends', async () => {
    const { broker, script } = await setup();
    const job = jobOf();
    const first = broker.deliver(job);
    const call = await script.call(0);
    const copy = broker.deliver(job);
    expect(await first.settled).to.deep.equal({ kind: 'acked' });
    expect(copy.asked).to.deep.equal([]);
    call.reject(new Error('failed'));
    expect(await copy.settled).to.have.property('kind', 'retried');
    await turns();
    expect(kinds(first)).to.deep.equal(['acked']);
  });

  it('is not run twice while it waits for a slot', async () => {
    const { broker, script } = await setup(1);
    broker.deliver(jobOf());
    const blocking = await script.call(0);
    const job = jobOf();
    broker.deliver(job).lose();
    const second = broker.deliver(job, 1);
    blocking.resolve();
    (await script.call(1)).resolve();
    expect(await second.settled).to.deep.equal({ kind: 'acked' });
    await turns();
    expect(script.calls).to.have.length(2);
  });

  it('is not run from a delivery that was lost while it waited for a slot: another worker may have it by now', async () => {
    const { broker, script } = await setup(1);
    broker.deliver(jobOf());
    const call = await script.call(0);
    const waiting = broker.deliver(jobOf());
    waiting.lose();
    const later = broker.deliver(jobOf());
    call.resolve();
    (await script.call(1)).resolve();
    expect(await later.settled).to.deep.equal({ kind: 'acked' });
    expect(script.calls).to.have.length(2);
  });

  it('is settled with its outcome, not run, when it had ended and the settle was lost', async () => {
    const { broker, script, clock, seen } = await setup();
    const job = jobOf();
    const first = broker.deliver(job);
    const call = await script.call(0);
    first.lose();
    call.reject(new Error('failed'));
    await turns();
    expect(kinds(first)).to.deep.equal(['retried']);
    expect(seen.settled).to.deep.equal([]);
    const dueAtMs = clock.now() + 500;
    await clock.advance(10_000);
    const second = broker.deliver(job, 1);
    expect(await second.settled).to.deep.equal({ kind: 'retried', next: { ...job, attempt: 2, dueAtMs } });
    await turns();
    expect(script.calls).to.have.length(1);
    expect(seen.settled).to.deep.equal([[job.id, 'retried', 0]]);
  });

  it('keeps its outcome over several lost settles, also a dead letter', async () => {
    const { broker, script } = await setup();
    const job = jobOf({ attempt: 3 });
    const first = broker.deliver(job);
    const call = await script.call(0);
    first.lose();
    call.reject(new Error('failed'));
    await turns();
    const second = broker.deliver(job, 1);
    second.lose();
    await turns();
    expect(kinds(second)).to.deep.equal(['dead']);
    expect(await broker.deliver(job, 2).settled).to.have.property('kind', 'dead');
    expect(script.calls).to.have.length(1);
  });

  it('is only removed when its retry is stored already: a second retry would double it', async () => {
    const { broker, script, seen } = await setup();
    const job = jobOf();
    const first = broker.deliver(job);
    (await script.call(0)).reject(new Error('failed'));
    expect(await first.settled).to.have.property('kind', 'retried');
    await turns();
    expect(await broker.deliver(job, 1).settled).to.deep.equal({ kind: 'acked' });
    expect(seen.settled).to.have.length(1);
  });

  it('is settled on the new delivery when the old one is lost in the middle of the settle', async () => {
    const { broker, script } = await setup();
    const job = jobOf();
    const first = broker.deliver(job);
    const call = await script.call(0);
    first.hang();
    call.reject(new Error('failed'));
    await turns();
    const second = broker.deliver(job, 1);
    await turns();
    expect([kinds(first), kinds(second)]).to.deep.equal([['retried'], []]);
    first.lose();
    expect(await second.settled).to.have.property('kind', 'retried');
    expect(script.calls).to.have.length(1);
  });

  it('is only removed on the new delivery when the settle of the old one comes through', async () => {
    const { broker, script } = await setup();
    const job = jobOf();
    const first = broker.deliver(job);
    const call = await script.call(0);
    first.hang();
    call.reject(new Error('failed'));
    await turns();
    const second = broker.deliver(job, 1);
    first.resume();
    expect(await second.settled).to.deep.equal({ kind: 'acked' });
    expect(kinds(first)).to.deep.equal(['retried']);
  });

  it('runs again as its next attempt', async () => {
    const { broker, script } = await setup();
    const job = jobOf();
    const first = broker.deliver(job);
    (await script.call(0)).reject(new Error('failed'));
    const settlement = await first.settled;
    if (settlement.kind !== 'retried') throw new Error(settlement.kind);
    broker.deliver(settlement.next);
    expect((await script.call(1)).job).to.include({ id: job.id, attempt: 2 });
  });
});

describe('an outcome the broker does not take', () => {
  for (const kind of ['retried', 'dead', 'acked'] as const) {
    it(`is tried again with backoff while the delivery lives (${kind})`, async () => {
      const { broker, script, clock, lines, seen } = await setup();
      const delivery = broker.deliver(jobOf({ attempt: kind === 'dead' ? 3 : 1 }));
      const call = await script.call(0);
      for (let n = 0; n < 3; n++) delivery.failNext(new Unavailable('blocked by an alarm'));
      if (kind === 'acked') call.resolve();
      else call.reject(new Error('failed'));
      await turns();
      expect(kinds(delivery)).to.deep.equal([kind]);
      await clock.advance(100 + 200 + 399);
      expect(delivery.asked).to.have.length(3);
      await clock.advance(1);
      expect(await delivery.settled).to.have.property('kind', kind);
      expect(
        lines.filter((line) => line.level === 'warn' && line.fields['tries'] !== undefined),
      ).to.have.length(3);
      expect(seen.settled).to.have.length(1);
    });
  }

  it('is given up when the delivery is lost, and applied when the job comes again', async () => {
    const { broker, script, clock } = await setup();
    const job = jobOf();
    const first = broker.deliver(job);
    first.failNext(new Unavailable('no connection'));
    (await script.call(0)).reject(new Error('failed'));
    await turns();
    first.lose();
    await clock.advance(60_000);
    expect(kinds(first)).to.deep.equal(['retried', 'retried']);
    expect(await broker.deliver(job, 1).settled).to.have.property('kind', 'retried');
  });

  it('does not hold the slot: successes go on while retries wait for the broker', async () => {
    const { broker, script } = await setup(1);
    const stuck = broker.deliver(jobOf());
    stuck.hang();
    (await script.call(0)).reject(new Error('failed'));
    const next = broker.deliver(jobOf());
    (await script.call(1)).resolve();
    expect(await next.settled).to.deep.equal({ kind: 'acked' });
    stuck.resume();
  });
});
