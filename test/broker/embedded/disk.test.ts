import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { expect } from 'chai';
import type { Broker, Delivery } from '../../../src/broker/broker.js';
import { schema } from '../../../src/broker/embedded/schema.js';
import { readStarted } from '../../../src/broker/embedded/started.js';
import { operationsUrl } from '../../../src/broker/embedded/storage.js';
import { Lost, Unavailable } from '../../../src/job/errors.js';
import { systemClock } from '../../../src/runtime/clock.js';
import type { SqliteThread } from '../../../src/runtime/sqlite-thread.js';
import { testModule, testSchema } from '../../runtime/sqlite-test-schema.js';
import { createInbox, makeJob, rejectionOf } from '../inbox.js';
import { createEmbeddedBench, type EmbeddedBench } from './bench.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const source = { queue: 'default', lane: 'normal', prefetch: 10 } as const;

describe('the built-in engine and its disk', () => {
  let bench: EmbeddedBench;
  let broker: Broker;
  beforeEach(async () => {
    bench = createEmbeddedBench(['default', 'other'], {
      modules: [operationsUrl, testModule],
      schemas: { engine: [...schema, ...testSchema] },
    });
    broker = await bench.open();
  });
  afterEach(() => bench.close());

  const pragma = (text: string): Promise<unknown> => bench.threadOf(broker).run('test.pragma', text);

  async function fill(): Promise<void> {
    await pragma('max_page_count = 1');
    const large = makeJob({ body: Buffer.alloc(200_000) });
    expect(await rejectionOf(broker.publish(large))).to.be.instanceOf(Unavailable);
  }
  const makeRoom = (): Promise<unknown> => pragma('max_page_count = 1000000');

  async function inHand(count: number, inbox = createInbox()): Promise<Delivery[]> {
    for (let i = 0; i < count; i++) await broker.publish(makeJob());
    await broker.consume(source, inbox.take);
    return inbox.first(count);
  }

  it('refuses publishes while the disk is full, says so, and takes them again once there is room', async () => {
    await fill();
    expect(broker.stats.isBlocked).to.equal(true);
    expect(broker.health())
      .to.have.property('reason')
      .matches(/no space is left/);
    expect(await rejectionOf(broker.publish(makeJob())))
      .to.have.property('message')
      .matches(/no space is left/);
    await makeRoom();
    while (broker.stats.isBlocked) await new Promise((resolve) => setImmediate(resolve));
    await broker.publish(makeJob());
    expect((await broker.inspect()).lanes.find(({ lane }) => lane === 'normal')?.ready).to.equal(1);
  });

  it('lets acks through while the disk is full; a retry that needs room waits for it, and is done once', async () => {
    const inbox = createInbox();
    const [first, second] = await inHand(2, inbox);
    await fill();
    const large = { ...(second as Delivery).job, attempt: 2, body: Buffer.alloc(200_000) };
    let isRetried = false;
    const retry = second?.retry(large).then(() => {
      isRetried = true;
    });
    await first?.ack();
    expect(isRetried).to.equal(false);
    await makeRoom();
    await retry;
    const [, , third] = await inbox.first(3);
    expect(third?.job).to.deep.equal(large);
    await third?.ack();
    expect((await broker.inspect()).lanes.every(({ ready }) => ready === 0)).to.equal(true);
  });

  it('hands out no more and more jobs while settles wait for room', async () => {
    let rounds = 0;
    await bench.stop(broker);
    broker = await bench.open({
      clock: {
        ...systemClock,
        after(ms, run) {
          return systemClock.after(ms, () => {
            if (ms === 250) rounds += 1;
            run();
          });
        },
      },
    });
    for (let i = 0; i < 20; i++) await broker.publish(makeJob());
    await fill();
    const retries: Promise<unknown>[] = [];
    const inbox = createInbox((delivery) => {
      delivery.started();
      const next = { ...delivery.job, attempt: 2, body: Buffer.alloc(200_000) };
      if (delivery.job.attempt === 1) retries.push(delivery.retry(next));
      else void delivery.ack();
    });
    await broker.consume({ ...source, prefetch: 2 }, inbox.take);
    while (rounds < 20) await turn();
    // Two, and two more that came while the first settles were on their way to the disk.
    expect(inbox.deliveries.length).to.be.within(2, 4);
    await makeRoom();
    await inbox.until((all) => all.length === 40);
    await Promise.all(retries);
  });

  it('takes publishes again although the clock was set back while the disk was full', async () => {
    let backMs = 0;
    await bench.stop(broker);
    broker = await bench.open({ clock: { ...systemClock, now: () => systemClock.now() - backMs } });
    await fill();
    await makeRoom();
    backMs = 3_600_000;
    expect(broker.stats.isBlocked).to.equal(false);
    expect(broker.health()).to.deep.equal({ ok: true });
    await broker.publish(makeJob());
  });

  it('moves large jobs that are due at once in short steps', async () => {
    const dueAtMs = Date.now() + 3_600_000;
    for (let i = 0; i < 6; i++) await broker.publish(makeJob({ dueAtMs, body: Buffer.alloc(1_500_000) }));
    const promote = (): Promise<unknown> => bench.threadOf(broker).run('engine.promote', [dueAtMs, 256]);
    const lanes = [2]; // That of `default.normal`.
    expect(await promote()).to.deep.equal({ lanes, nextDueMs: dueAtMs, isCut: true });
    expect((await broker.inspect()).lanes.find(({ lane }) => lane === 'normal')?.ready).to.equal(2);
    expect(await promote()).to.deep.equal({ lanes, nextDueMs: dueAtMs, isCut: true });
    expect(await promote()).to.deep.equal({ lanes, nextDueMs: null, isCut: false });
  });

  it('stops although the disk stands still, and leaves on record what was running', async () => {
    await broker.publish(makeJob());
    await bench.stop(broker);
    const run: SqliteThread['run'] = (operation, argument, bytes) =>
      operation === 'engine.count'
        ? new Promise(() => {})
        : bench.threadOf(stuck).run(operation, argument, bytes);
    const stuck: Broker = bench.make({
      thread: { ...bench.threadOf(broker), run },
      clock: { ...systemClock, after: (ms, then) => systemClock.after(ms === 5_000 ? 0 : ms, then) },
    });
    await stuck.start();
    const inbox = createInbox((delivery) => delivery.started());
    await stuck.consume(source, inbox.take);
    await inbox.first(1);
    await stuck.stop();
    expect(readStarted(join(bench.folder, 'sluice.started'))?.places).to.have.length(1);
  });

  it('gives up a settle that waits for room when it stops: the job comes again', async () => {
    const [delivery] = await inHand(1);
    await fill();
    const retry = rejectionOf(delivery?.retry({ ...delivery.job, attempt: 2, body: Buffer.alloc(200_000) }));
    await bench.crash(broker);
    expect(await retry).to.be.instanceOf(Lost);
    broker = await bench.open();
    const inbox = createInbox();
    await broker.consume(source, inbox.take);
    const [again] = await inbox.first(1);
    expect(again?.job).to.deep.equal(delivery?.job);
  });

  it('moves what is stored but is no job to the dead letters, and goes on behind it', async () => {
    const jobs = [makeJob(), makeJob(), makeJob()];
    for (const job of jobs) await broker.publish(job);
    await bench.stop(broker);
    const db = new Sqlite(join(bench.folder, 'sluice.db'));
    db.prepare('UPDATE jobs SET headers = ? WHERE id = ?').run('{"sluice-attempt":"many"}', jobs[0]?.id);
    db.prepare('UPDATE jobs SET headers = ? WHERE id = ?').run('{not JSON', jobs[1]?.id);
    db.close();
    broker = await bench.open();
    const inbox = createInbox();
    await broker.consume(source, inbox.take);
    const [delivery] = await inbox.first(1);
    expect(delivery?.job).to.deep.equal(jobs[2]);
    expect(broker.stats.undecodable).to.equal(2);
    expect((await broker.inspect()).deadLetters).to.equal(2);
  });

  it('charges no crash twice, although it ends again before the new record is begun', async () => {
    const [delivery] = await inHand(1);
    delivery?.started();
    const record = join(bench.folder, 'sluice.started');
    const left = readFileSync(record);
    await bench.crash(broker);
    for (let start = 1; start <= 4; start++) {
      broker = await bench.open();
      const inbox = createInbox();
      await broker.consume(source, inbox.take);
      const [again] = await inbox.first(1);
      expect(again?.lostCount).to.equal(1);
      await bench.crash(broker);
      writeFileSync(record, left); // As if the process had ended right after the file was opened.
    }
  });

  it('keeps the jobs of a queue that is no longer there, and delivers them when it is back', async () => {
    const job = makeJob({ queue: 'other' });
    await broker.publish(job);
    await bench.stop(broker);
    const without = await bench.open({ queues: ['default'] });
    expect((await without.inspect()).lanes.every(({ ready }) => ready === 0)).to.equal(true);
    await bench.stop(without);
    broker = await bench.open();
    const inbox = createInbox();
    await broker.consume({ ...source, queue: 'other' }, inbox.take);
    const [delivery] = await inbox.first(1);
    expect(delivery?.job).to.deep.equal(job);
  });
});
