import { expect } from 'chai';
import type { DeadLetter } from '../../src/broker/stock.js';
import { StoreRefused, StoreUnavailable } from '../../src/job/errors.js';
import { decodeBatch, encodeBatch } from '../../src/job/event-codec.js';
import { createRecorder, type RecorderOptions } from '../../src/recorder/recorder.js';
import { createLog } from '../../src/runtime/log.js';
import type { Recording, Records } from '../../src/store/store.js';
import { createManualClock } from '../support/manual-clock.js';
import { accepted, batchOf, idOf, sourceId, started, succeeded } from './support/events.js';
import { createFakeChannel } from './support/fake-channel.js';

const a = sourceId('a');

describe('the recorder', () => {
  it('records what batches say, and acks it afterwards', async () => {
    const { channel, recorder, recorded } = await begin();
    channel.offer(encodeBatch(batchOf(a, 1, [accepted(1), started(1), succeeded(1)])));
    await channel.untilAcked(1);
    const [recording] = recorded;
    expect(recording?.rows.map(({ id, state }) => [id, state])).to.deep.equal([[idOf(1), 'succeeded']]);
    expect(recording?.receipts).to.have.lengthOf(1);
    expect(recording?.receipts[0]).to.include({ source: a, seq: 1, accepted: 1, acceptedAgain: 0 });
    expect(recorder.stats.recorded).to.equal(3);
    await recorder.stop();
  });

  it('gathers all that has arrived while a write was under way', async () => {
    let release = (): void => {};
    const { channel, recorder, recorded } = await begin({
      beforeFirst: () => new Promise((resolve) => (release = resolve)),
    });
    channel.offer(encodeBatch(batchOf(a, 1, [accepted(1)])));
    await turn();
    for (let seq = 2; seq <= 6; seq++) channel.offer(encodeBatch(batchOf(a, seq, [accepted(seq)])));
    await turn();
    release();
    await channel.untilAcked(6);
    expect(recorded.map(({ receipts }) => receipts.length)).to.deep.equal([1, 5]);
    await recorder.stop();
  });

  it('bounds a write in events', async () => {
    const { channel, recorder, recorded } = await begin({ options: { mostEvents: 4 } });
    for (let seq = 1; seq <= 3; seq++)
      channel.offer(encodeBatch(batchOf(a, seq, [accepted(seq * 2), accepted(seq * 2 + 1)])));
    await channel.untilAcked(3);
    expect(recorded.map(({ rows }) => rows.length)).to.deep.equal([4, 2]);
    await recorder.stop();
  });

  it('keeps what it has in hand while the store is away, says so, and catches up', async () => {
    const { channel, recorder, recorded, clock, refuse } = await begin();
    refuse(() => new StoreUnavailable('the database is away'));
    channel.offer(encodeBatch(batchOf(a, 1, [accepted(1)])));
    await clock.untilWaiting(1);
    expect(recorder.health()).to.deep.equal({
      ok: false,
      reason: 'events wait in the broker: the database is away',
    });
    channel.offer(encodeBatch(batchOf(a, 2, [accepted(2)])));
    await clock.advance(250);
    expect([channel.acked, channel.unsettled]).to.deep.equal([0, 2]);
    refuse(() => undefined);
    await clock.advance(5_000);
    await channel.untilAcked(2);
    expect(recorder.health()).to.deep.equal({ ok: true });
    expect(recorded.flatMap(({ rows }) => rows.map(({ id }) => id))).to.have.members([idOf(1), idOf(2)]);
    await recorder.stop();
  });

  it('records all but the event that the database refuses, which goes to quarantine with its bytes', async () => {
    const { channel, recorder, rowIds, receipts, quarantined, refuse } = await begin();
    refuse((recording) =>
      recording.rows.some(({ id }) => id === idOf(5)) ? new StoreRefused('not this one') : undefined,
    );
    channel.offer(
      encodeBatch(
        batchOf(
          a,
          1,
          [1, 2, 3].map((n) => accepted(n)),
        ),
      ),
    );
    channel.offer(
      encodeBatch(
        batchOf(
          a,
          2,
          [4, 5, 6].map((n) => accepted(n)),
        ),
      ),
    );
    await channel.untilAcked(2);
    expect(rowIds()).to.have.members([1, 2, 3, 4, 6].map(idOf));
    expect(receipts()).to.deep.equal([
      [1, 3],
      [2, 3],
    ]);
    expect(quarantined.map(({ reason }) => reason)).to.deep.equal(['not this one']);
    const kept = decodeBatch(quarantined[0]?.raw ?? Buffer.alloc(0));
    expect([kept.source, kept.seq, kept.events]).to.deep.equal([a, 2, [accepted(5)]]);
    expect(recorder.stats.quarantined).to.equal(1);
    await recorder.stop();
  });

  it('puts a batch that cannot be read into quarantine as it is', async () => {
    const { channel, recorder, quarantined, rowIds } = await begin();
    channel.offer(Buffer.from('no batch'));
    channel.offer(encodeBatch(batchOf(a, 1, [accepted(1)])));
    await channel.untilAcked(2);
    expect(quarantined).to.have.lengthOf(1);
    expect([quarantined[0]?.origin, quarantined[0]?.raw.toString()]).to.deep.equal(['events', 'no batch']);
    expect(rowIds()).to.deep.equal([idOf(1)]);
    await recorder.stop();
  });

  it('records all of a batch but the events of a later release, which go to quarantine by themselves', async () => {
    const { channel, recorder, quarantined, rowIds, receipts } = await begin();
    const wire = JSON.parse(
      encodeBatch(
        batchOf(
          a,
          1,
          [1, 2, 3].map((n) => accepted(n)),
        ),
      ).toString(),
    ) as {
      names: unknown[];
      events: unknown[][];
    };
    (wire.events[1] ?? [])[0] = 99; // a kind of the future
    wire.names.push(['echo', 'a.b', 'normal']);
    (wire.events[2] ?? [])[2] = 1; // a queue as it can be named only there
    channel.offer(Buffer.from(JSON.stringify(wire)));
    await channel.untilAcked(1);
    expect(rowIds()).to.deep.equal([idOf(1)]);
    expect(receipts()).to.deep.equal([[1, 1]]);
    expect(quarantined.map(({ reason }) => reason)).to.deep.equal([
      'event 1: kind 99 is not known here, and 1 more events',
    ]);
    const kept = JSON.parse(quarantined[0]?.raw.toString() ?? '') as typeof wire;
    expect(kept).to.deep.equal({ ...wire, events: wire.events.slice(1) });
    await recorder.stop();
  });

  it('records a dead letter with its payload', async () => {
    const { channel, recorder, recorded } = await begin();
    channel.offerDead(letterOf({}));
    await channel.untilAcked(1);
    expect(recorded[0]?.rows[0]).to.include({
      id: idOf(7),
      state: 'dead',
      reason: 'exhausted',
      run: 2,
      attempt: 3,
    });
    expect(recorded[0]?.payloads).to.deep.equal([{ id: idOf(7), run: 2, payload: '{"to":"you"}' }]);
    await recorder.stop();
  });

  it('records when the attempt began that a dead letter ends, in the row and in that of the attempt', async () => {
    const { channel, recorder, recorded } = await begin();
    const { death } = letterOf({});
    channel.offerDead(letterOf({ death: { ...death, startedAtMs: death.atMs - 250 } }));
    channel.offerDead(letterOf({ messageId: idOf(8) })); // Of an older release.
    await channel.untilAcked(2);
    const rows = recorded.flatMap((one) => one.rows).map(({ id, startedAtMs }) => [id, startedAtMs]);
    const attempts = recorded.flatMap((one) => one.attempts).map(({ id, startedAtMs }) => [id, startedAtMs]);
    const expected = [
      [idOf(7), death.atMs - 250],
      [idOf(8), null],
    ];
    expect(rows).to.deep.equal(expected);
    expect(attempts).to.deep.equal(expected);
    await recorder.stop();
  });

  it('puts a dead letter that is no job into quarantine, with what it said beside its bytes', async () => {
    const { channel, recorder, quarantined, recorded } = await begin();
    channel.offerDead(letterOf({ messageId: 'seven', body: Buffer.from([0xff, 0x00]) }));
    await channel.untilAcked(1);
    expect(recorded).to.deep.equal([]);
    expect(quarantined[0]?.raw).to.deep.equal(Buffer.from([0xff, 0x00]));
    expect(quarantined[0]?.reason).to.match(/message_id must be a UUID.*"messageId":"seven"/);
    await recorder.stop();
  });

  it('records a dead letter of more runs or attempts than a row can tell apart as the last of them', async () => {
    const { channel, recorder, quarantined, recorded } = await begin();
    const { death } = letterOf({});
    const headers = { 'sluice-run': 65_536, 'sluice-attempt': 2 ** 53 };
    channel.offerDead(letterOf({ headers, death: { ...death, reason: 'undecodable' } }));
    await channel.untilAcked(1);
    expect(recorded[0]?.rows[0]).to.include({ state: 'dead', run: 65_535, attempt: 2 ** 30 - 1 });
    expect(recorded[0]?.rows[0]).to.include({ reason: 'undecodable' });
    expect(recorded[0]?.payloads).to.deep.equal([{ id: idOf(7), run: 65_535, payload: '{"to":"you"}' }]);
    expect(quarantined).to.deep.equal([]);
    await recorder.stop();
  });

  it('records the death of a job whose body is no JSON, and keeps its bytes', async () => {
    const { channel, recorder, quarantined, recorded } = await begin();
    channel.offerDead(letterOf({ body: Buffer.from('{"half":') }));
    await channel.untilAcked(1);
    expect(recorded[0]?.rows[0]).to.include({ id: idOf(7), state: 'dead' });
    expect(recorded[0]?.payloads).to.deep.equal([]);
    expect(quarantined[0]?.raw.toString()).to.equal('{"half":');
    await recorder.stop();
  });

  it('returns what it could not record when it is stopped, and acks none of it', async () => {
    const { channel, recorder, clock, refuse } = await begin();
    refuse(() => new StoreUnavailable('the database is away'));
    channel.offer(encodeBatch(batchOf(a, 1, [accepted(1)])));
    await clock.untilWaiting(1);
    channel.offer(encodeBatch(batchOf(a, 2, [accepted(2)])));
    await recorder.stop();
    expect([channel.acked, channel.returned, channel.unsettled]).to.deep.equal([0, 2, 0]);
  });

  it('stops although the store never answers', async () => {
    const { channel, recorder, clock } = await begin({ beforeFirst: () => new Promise(() => {}) });
    channel.offer(encodeBatch(batchOf(a, 1, [accepted(1)])));
    await turn();
    const stopping = recorder.stop();
    await clock.advance(7_000);
    await stopping;
    expect([channel.acked, channel.unsettled]).to.deep.equal([0, 1]);
  });

  it('stops before it was started, and twice', async () => {
    const { recorder } = await begin({ isStarted: false });
    await recorder.stop();
    await recorder.stop();
    await recorder.start();
    expect(recorder.health().ok).to.equal(false);
  });

  it('shows how old the oldest batch in hand is', async () => {
    const { channel, recorder, clock, refuse } = await begin();
    refuse(() => new StoreUnavailable('the database is away'));
    channel.offer(encodeBatch(batchOf(a, 1, [accepted(1)], { atMs: clock.now() })));
    await clock.untilWaiting(1);
    await clock.advance(100);
    expect(recorder.stats.lagMs).to.equal(100);
    await recorder.stop();
  });
});

type Refusal = (recording: Recording) => Error | undefined;

interface Setup {
  readonly options?: Partial<RecorderOptions>;
  readonly beforeFirst?: () => Promise<void>;
  readonly isStarted?: boolean;
}

async function begin({ options = {}, beforeFirst, isStarted = true }: Setup = {}) {
  const clock = createManualClock();
  const channel = createFakeChannel();
  const recorded: Recording[] = [];
  const quarantined: Parameters<Records['quarantine']>[0][] = [];
  let refusal: Refusal = () => undefined;
  let wait = beforeFirst;
  const records: Records = {
    async record(recording) {
      const first = wait;
      wait = undefined;
      await first?.();
      const error = refusal(recording);
      if (error !== undefined) throw error;
      recorded.push(recording);
    },
    async quarantine(item) {
      quarantined.push(item);
    },
  };
  const recorder = createRecorder({
    channel,
    store: { kind: 'sqlite', records },
    clock,
    log: createLog('silent'),
    ...options,
  });
  if (isStarted) await recorder.start();
  return {
    clock,
    channel,
    recorder,
    recorded,
    quarantined,
    refuse: (next: Refusal) => {
      refusal = next;
    },
    rowIds: () => recorded.flatMap(({ rows }) => rows.map(({ id }) => id)),
    receipts: () => recorded.flatMap(({ receipts }) => receipts.map(({ seq, accepted: n }) => [seq, n])),
  };
}

function letterOf(more: Partial<DeadLetter>): DeadLetter {
  const failure = { name: 'Error', message: 'no' };
  return {
    messageId: idOf(7),
    type: 'echo',
    headers: { 'sluice-run': 2, 'sluice-attempt': 3 },
    body: Buffer.from('{"to":"you"}'),
    queue: 'default',
    lane: 'normal',
    death: { reason: 'exhausted', failure, atMs: Date.UTC(2026, 0, 2) },
    ...more,
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
