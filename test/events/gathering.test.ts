/** How large a batch becomes: what is said at once, what gathers behind a batch, and what nobody waits for. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createEventSender, type EventSender } from '../../src/events/sender.js';
import { createSpool } from '../../src/events/spool.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { accepted, newId, started, startMs, succeeded } from './support/events.js';
import { createFakeChannel, type FakeChannel } from './support/fake-channel.js';
import { createKeptLog } from './support/log.js';
import { watch } from './support/watch.js';

describe('the batches of events', () => {
  let folder: string;
  let clock: ManualClock;
  let channel: FakeChannel;
  let sender: EventSender;
  /** Of the jobs in hand some wait for a slot. */
  let hasWaiting: boolean;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-gathering-'));
    clock = createManualClock(startMs);
    hasWaiting = false;
    channel = createFakeChannel();
    const source = newId();
    const log = createKeptLog();
    sender = createEventSender({
      source,
      role: 'work',
      host: 'here 1',
      channel,
      isBlocked: () => false,
      held: () => 3,
      hasWaiting: () => hasWaiting,
      spool: createSpool({ folder, source, clock, log, mostBytes: 1_000_000 }),
      clock,
      log,
    });
  });
  afterEach(async () => {
    channel.confirmAll();
    await sender.stop();
    expect(clock.waiting).to.equal(0);
    await rm(folder, { recursive: true, force: true });
  });

  /** Whatever can happen without a disk has happened. */
  const turn = (): Promise<void> => clock.advance(0);

  it('sends what is said in one turn of the loop as one batch', async () => {
    await sender.start();
    const id = newId();
    sender.tell(accepted(id));
    sender.tell(started());
    const { batch } = await channel.sentAs(1);
    expect(batch).to.deep.include({ seq: 1, role: 'work', host: 'here 1', held: 3, isLast: false });
    expect(batch.events).to.have.lengthOf(2);
  });

  it('gathers while a batch is on its way, and sends the next at its confirm', async () => {
    await sender.start();
    sender.tell(accepted());
    const first = await channel.sentAs(1);
    for (let n = 0; n < 5; n++) sender.tell(accepted());
    const record = watch(sender.record(succeeded()));
    await turn();
    expect(channel.sent).to.have.lengthOf(1);
    expect(sender.stats.pending).to.equal(7);
    first.confirm();
    const second = await channel.sentAs(2);
    expect(second.batch).to.deep.include({ seq: 2 });
    expect(second.batch.events).to.have.lengthOf(6);
    expect(record.outcome).to.equal('waiting');
  });

  it('gathers for 20 ms after a batch while nobody waits, and a whole batch no longer', async () => {
    await sender.start();
    channel.confirmAll();
    sender.tell(accepted());
    await channel.sentAs(1);
    sender.tell(accepted());
    await clock.advance(19);
    sender.tell(accepted());
    expect(channel.sent).to.have.lengthOf(1);
    await clock.advance(1);
    expect((await channel.sentAs(2)).batch.events).to.have.lengthOf(2);
    for (let n = 0; n < 1_000; n++) sender.tell(accepted());
    expect((await channel.sentAs(3)).batch.events).to.have.lengthOf(1_000);
  });

  it('gathers what somebody waits for during 10 ms after a batch, while other jobs in hand wait for a slot', async () => {
    hasWaiting = true;
    await sender.start();
    channel.confirmAll();
    await sender.record(succeeded());
    sender.tell(accepted());
    void sender.record(succeeded());
    const records = watch(sender.record(succeeded()));
    await clock.advance(9);
    expect([channel.sent.length, records.outcome]).to.deep.equal([1, 'waiting']);
    await clock.advance(1);
    expect((await channel.sentAs(2)).batch.events).to.have.lengthOf(3);
    expect(records.outcome).to.equal('durable');
    await clock.advance(10);
    await sender.record(succeeded()); // The last one was long ago.
    for (let n = 0; n < 999; n++) sender.recordFor(succeeded(), { resolve() {}, reject() {} });
    await sender.record(succeeded()); // A whole batch waits for nothing.
    expect((await channel.sentAs(4)).batch.events).to.have.lengthOf(1_000);
  });

  it('gathers nothing that somebody waits for when no job waits for a slot any more', async () => {
    hasWaiting = true;
    await sender.start();
    channel.confirmAll();
    await sender.record(succeeded());
    const first = watch(sender.record(succeeded()));
    await turn();
    expect(first.outcome).to.equal('waiting');
    hasWaiting = false;
    await sender.record(succeeded());
    expect(first.outcome).to.equal('durable');
    expect(channel.sent.at(-1)?.batch.events).to.have.lengthOf(2);
  });
});
