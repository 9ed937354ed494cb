import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createEventSender, type EventSender } from '../../src/events/sender.js';
import { createSpool, type Spool } from '../../src/events/spool.js';
import { Unavailable } from '../../src/job/errors.js';
import { encodeBatch } from '../../src/job/event-codec.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { accepted, newId, started, startMs, succeeded } from './support/events.js';
import { createFakeChannel, type FakeChannel } from './support/fake-channel.js';
import { createKeptLog } from './support/log.js';
import { watch } from './support/watch.js';

const source = '6f1c1c0e-0f43-4a0b-9a52-0d9f2b1f5a11';
const emptyBatch = { role: 'work', host: 'here 1', atMs: 0, held: 0, isLast: false, events: [] } as const;
const laterSource = '7f1c1c0e-0f43-4a0b-9a52-0d9f2b1f5a11';

describe('the sender of events', () => {
  let folder: string;
  let clock: ManualClock;
  let channel: FakeChannel;
  let sender: EventSender;
  let held: number;
  const log = createKeptLog();

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-sender-'));
    clock = createManualClock(startMs);
    channel = createFakeChannel();
    log.errors.length = 0;
    held = 3;
    sender = make();
  });
  afterEach(async () => {
    channel.confirmAll();
    await sender.stop();
    expect([clock.waiting, channel.listeners]).to.deep.equal([0, 0]);
    await rm(folder, { recursive: true, force: true });
  });

  const spoolOf = (of = source, mostBytes = 1_000_000): Spool =>
    createSpool({ folder: join(folder, 'spool'), source: of, clock, log, mostBytes });
  const spooledFiles = async (): Promise<number> => (await readdir(join(folder, 'spool'))).length;

  function make(spool = spoolOf(), of = source): EventSender {
    const isBlocked = (): boolean => channel.isBlocked;
    return createEventSender({
      source: of,
      role: 'work',
      host: 'here 1',
      channel,
      isBlocked,
      held: () => held,
      hasWaiting: () => false,
      spool,
      clock,
      log,
    });
  }

  /** Whatever can happen without a disk has happened. */
  const turn = (): Promise<void> => clock.advance(0);

  it('spools what waits when it grows too much behind a batch that is never confirmed', async () => {
    await sender.start();
    sender.tell(accepted());
    const first = await channel.sentAs(1);
    const id = newId();
    for (let n = 0; n < 100_000; n++) sender.tell(accepted(id));
    expect(first.isWithdrawn).to.equal(true);
    // Once on the disk, it is tried again beside what follows.
    const next = [await channel.sentAs(2), await channel.sentAs(3)];
    expect(next.map(({ batch }) => batch.seq)).to.have.members([1, 2]);
  });

  it('rejects all that waits when it is stopped before its start', async () => {
    const all = Array.from({ length: 2_500 }, () => watch(sender.record(succeeded())));
    await sender.stop();
    await turn();
    expect(new Set(all.map(({ outcome }) => outcome))).to.deep.equal(new Set(['unavailable']));
  });

  it('sends what another process has left while this one was running', async () => {
    await sender.start();
    await spoolOf(laterSource).write(encodeBatch({ ...emptyBatch, source: laterSource, seq: 9 }), 0);
    await clock.advance(15_000);
    const both = [await channel.sentAs(1), await channel.sentAs(2)];
    expect(both.map(({ batch }) => batch.source)).to.have.members([source, laterSource]);
  });

  it('resolves a record only once its batch is confirmed', async () => {
    await sender.start();
    const record = watch(sender.record(succeeded()));
    const sent = await channel.sentAs(1);
    await turn();
    expect(record.outcome).to.equal('waiting');
    sent.confirm();
    await turn();
    expect(record.outcome).to.equal('durable');
    expect(sender.stats.pending).to.equal(0);
  });

  it('keeps what is said before its start until then', async () => {
    const record = watch(sender.record(succeeded()));
    await turn();
    expect(channel.sent).to.have.lengthOf(0);
    channel.confirmAll();
    await sender.start();
    await turn();
    expect(record.outcome).to.equal('durable');
  });

  it('gives a sign of life after 15 s without a batch, and not earlier', async () => {
    channel.confirmAll();
    await sender.start();
    await clock.advance(10_000);
    sender.tell(accepted());
    await channel.sentAs(1);
    await clock.advance(14_999);
    expect(channel.sent).to.have.lengthOf(1);
    await clock.advance(1);
    expect(channel.sent[1]?.batch).to.deep.include({ seq: 2, events: [], isLast: false });
    await clock.advance(15_000);
    expect(channel.sent).to.have.lengthOf(3);
  });

  it('says after a second of quiet that it holds fewer deliveries than it told, once', async () => {
    channel.confirmAll();
    await sender.start();
    sender.tell(accepted());
    expect((await channel.sentAs(1)).batch.held).to.equal(3);
    held = 0; // acked, now that their events are safe
    await clock.advance(999);
    expect(channel.sent).to.have.lengthOf(1);
    await clock.advance(1);
    expect(channel.sent[1]?.batch).to.deep.include({ seq: 2, events: [], held: 0 });
    await clock.advance(14_999);
    expect(channel.sent).to.have.lengthOf(2);
  });

  it('says goodbye with its last batch', async () => {
    channel.confirmAll();
    await sender.start();
    sender.tell(accepted());
    await channel.sentAs(1);
    sender.tell(accepted());
    await sender.stop();
    const batches = channel.sent.map(({ batch }) => batch);
    expect(batches.flatMap(({ events }) => events)).to.have.lengthOf(2);
    expect(batches.map(({ isLast }) => isLast)).to.deep.equal(
      batches.map(({ seq }) => seq === batches.length),
    );
  });

  it('says goodbye with an empty batch when all is said, and nothing when it never spoke', async () => {
    channel.confirmAll();
    await sender.start();
    await sender.record(succeeded());
    await sender.stop();
    expect(channel.sent[1]?.batch).to.deep.include({ seq: 2, events: [], isLast: true });
    const silent = make(spoolOf(laterSource), laterSource);
    await silent.start();
    await silent.stop();
    expect(channel.sent).to.have.lengthOf(2);
  });

  it('stops before its start, twice, and in the middle of its start', async () => {
    const record = watch(sender.record(succeeded()));
    await Promise.all([sender.stop(), sender.stop()]);
    expect(record.outcome).to.equal('unavailable');
    await sender.start();
    expect(channel.listeners).to.equal(0);
    const other = make(spoolOf(laterSource), laterSource);
    await Promise.all([other.start(), other.stop()]);
  });

  it('takes nothing after its stop, and says so', async () => {
    await sender.start();
    await sender.stop();
    sender.tell(accepted());
    const record = watch(sender.record(succeeded()));
    await turn();
    expect(record.outcome).to.equal('unavailable');
    expect(sender.stats.pending).to.equal(0);
  });

  describe('while the broker takes nothing', () => {
    it('resolves a record once it is in the spool, and sends it when the broker takes it again', async () => {
      await sender.start();
      channel.block(true);
      await sender.record(succeeded());
      expect([await spooledFiles(), sender.stats.spooled, channel.sent.length]).to.deep.equal([1, 1, 0]);
      channel.confirmAll();
      channel.block(false);
      expect((await channel.sentAs(1)).batch).to.deep.include({ seq: 1 });
      await sender.stop();
      expect([await spooledFiles(), sender.stats.spooled]).to.deep.equal([0, 0]);
    });

    it('spools the batch that was on its way, under the same number', async () => {
      await sender.start();
      const record = sender.record(succeeded());
      const sent = await channel.sentAs(1);
      channel.block(true);
      await record;
      expect(sent.isWithdrawn).to.equal(true);
      sent.confirm(); // Too late, and of no consequence.
      await sender.record(succeeded());
      expect(await spooledFiles()).to.equal(2);
      channel.confirmAll();
      channel.block(false);
      await channel.sentAs(3);
      expect(channel.sent.map(({ batch }) => batch.seq)).to.deep.equal([1, 1, 2]);
    });

    it('keeps begins in memory, and spools what must arrive alone', async () => {
      await sender.start();
      channel.block(true);
      sender.tell(started());
      sender.tell(accepted());
      await sender.record(succeeded());
      expect([sender.stats.pending, sender.stats.spooled]).to.deep.equal([1, 2]);
      channel.confirmAll();
      channel.block(false);
      await channel.sentAs(2);
      const kinds = channel.sent.flatMap(({ batch }) => batch.events.map(({ kind }) => kind));
      expect(kinds).to.have.members(['accepted', 'started', 'succeeded']);
    });

    it('waits when the spool is full, and goes on when the broker does', async () => {
      sender = make(spoolOf(source, 10));
      await sender.start();
      channel.block(true);
      const record = watch(sender.record(succeeded()));
      await clock.advance(60_000);
      expect([record.outcome, channel.sent.length]).to.deep.equal(['waiting', 0]);
      channel.confirmAll();
      channel.block(false);
      await channel.sentAs(1);
      await turn();
      expect(record.outcome).to.equal('durable');
    });

    it('tries a spool that could not be written again', async () => {
      await writeFile(join(folder, 'spool'), 'in the way');
      await sender.start();
      channel.block(true);
      const record = sender.record(succeeded());
      const watched = watch(record);
      await turn();
      expect(watched.outcome).to.equal('waiting');
      await rm(join(folder, 'spool'));
      await clock.advance(15_000);
      await record;
      expect(await spooledFiles()).to.equal(1);
    });

    it('takes back a spooled batch that was on its way when it begins again, and keeps its file', async () => {
      await sender.start();
      channel.block(true);
      await sender.record(succeeded());
      channel.block(false);
      const sent = await channel.sentAs(1);
      channel.block(true);
      expect(sent.isWithdrawn).to.equal(true);
      sent.confirm();
      await turn();
      expect(await spooledFiles()).to.equal(1);
    });

    it('sends no sign of life', async () => {
      await sender.start();
      channel.block(true);
      await clock.advance(60_000);
      expect(channel.sent).to.have.lengthOf(0);
    });
  });

  describe('at its stop', () => {
    it('spools all that waits, goodbye included, while the broker takes nothing; the next life sends it', async () => {
      await sender.start();
      channel.block(true);
      sender.tell(started());
      sender.tell(accepted());
      await sender.stop();
      expect(sender.stats.pending).to.equal(0);
      channel.confirmAll();
      channel.block(false);
      sender = make(spoolOf(laterSource), laterSource);
      await sender.start();
      const { batch } = await channel.sentAs(1);
      expect(batch).to.deep.include({ source, seq: 1, isLast: true });
      expect(batch.events).to.have.lengthOf(2);
      await sender.stop();
      expect(await spooledFiles()).to.equal(0);
    });

    it('waits 5 s for a broker that does not answer, then spools what is on its way', async () => {
      await sender.start();
      const record = watch(sender.record(succeeded()));
      const sent = await channel.sentAs(1);
      const stopped = sender.stop();
      await clock.untilWaiting(1);
      await clock.advance(4999);
      expect([record.outcome, sent.isWithdrawn]).to.deep.equal(['waiting', false]);
      await clock.advance(1);
      await stopped;
      expect([record.outcome, sent.isWithdrawn]).to.deep.equal(['durable', true]);
      // The batch, and the goodbye.
      expect(await spooledFiles()).to.equal(2);
    });

    it('gives up what neither the broker nor the spool takes: its jobs must not be acked', async () => {
      sender = make(spoolOf(source, 10));
      await sender.start();
      channel.block(true);
      const record = watch(sender.record(succeeded()));
      await sender.stop();
      await turn();
      expect(record.outcome).to.equal('unavailable');
      expect(log.errors.join()).to.match(/neither the broker nor the spool took them/);
    });

    it('sends what is in the spool before it ends', async () => {
      await sender.start();
      channel.block(true);
      for (let n = 0; n < 3; n++) await sender.record(succeeded());
      channel.confirmAll();
      channel.block(false);
      await sender.stop();
      expect(await spooledFiles()).to.equal(0);
      expect(channel.sent.map(({ batch }) => batch.seq)).to.have.members([1, 2, 3, 4]);
    });
  });

  it('spools a batch that the broker refuses, and sends it at the next opportunity', async () => {
    await sender.start();
    const record = sender.record(succeeded());
    (await channel.sentAs(1)).refuse(new Unavailable('shutting down'));
    await record;
    (await channel.sentAs(2)).refuse(new Unavailable('shutting down'));
    await turn();
    await clock.advance(15_000);
    const again = [await channel.sentAs(3), await channel.sentAs(4)];
    expect(again.map(({ batch }) => batch.seq)).to.have.members([1, 2]);
  });

  it('numbers batches without a gap, and loses and resolves nothing early, whatever blocks when', async () => {
    await sender.start();
    const durable = new Set<string>();
    const ids: string[] = [];
    const records: Promise<void>[] = [];
    for (let n = 0; n < 60; n++) {
      if (n % 7 === 3) channel.block(true);
      if (n % 7 === 6) channel.block(false);
      const id = newId();
      ids.push(id);
      records.push(sender.record(succeeded(id)).then(() => void durable.add(id)));
      if (n % 3 === 0) await turn();
      if (n % 5 === 0) for (const sent of channel.sent) sent.confirm();
    }
    channel.confirmAll();
    channel.block(false);
    await Promise.all(records);
    await sender.stop();
    const arrived = channel.sent.filter(({ isWithdrawn }) => !isWithdrawn);
    expect(new Set(arrived.flatMap(({ batch }) => batch.events.map(({ id }) => id)))).to.deep.equal(
      new Set(ids),
    );
    const seqs = [...new Set(arrived.map(({ batch }) => batch.seq))].toSorted((a, b) => a - b);
    expect(seqs).to.deep.equal(seqs.map((_, index) => index + 1));
    expect(arrived.filter(({ batch }) => batch.isLast).map(({ batch }) => batch.seq)).to.deep.equal([
      seqs.length,
    ]);
    expect(durable.size).to.equal(60);
  });
});
