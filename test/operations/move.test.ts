/** Whole moves between the two engines, and what can come between. */
import amqp from 'amqplib';
import { expect } from 'chai';
import { createRabbitSource } from '../../src/broker/rabbitmq/stock-source.js';
import type { Parcel, StockSource, StockTarget, Tally } from '../../src/broker/stock.js';
import { Invalid, Unavailable } from '../../src/job/errors.js';
import { type Moved, move } from '../../src/operations/move.js';
import { systemClock as clock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import { openEmbeddedStock } from '../broker/embedded/stock-bench.js';
import { makeJob, rejectionOf } from '../broker/inbox.js';
import { openRabbitStock } from '../broker/rabbitmq/stock-bench.js';
import {
  byIdentity,
  death,
  drained,
  everyKind,
  fill,
  never,
  richJob,
  type StockBench,
} from '../broker/stock.js';
import { type RabbitNode, startNode } from '../support/rabbitmq.js';

const queues = ['default', 'other'];
const noneLeft = { waiting: 0, delayed: 0, suspect: 0, dead: 0 };

function run(
  source: StockSource,
  target: StockTarget,
  options: { readonly signal?: AbortSignal; readonly onMoved?: (moved: Tally) => void } = {},
): Promise<Moved> {
  return move({ source, target, queues, signal: never, onStart() {}, onMoved() {}, ...options });
}

async function contentOf(bench: StockBench): Promise<Parcel[]> {
  const source = bench.source();
  await source.start();
  const parcels = await drained(source);
  await source.stop();
  return parcels;
}

function idsOf(parcels: readonly Parcel[]): string[] {
  return parcels.map((parcel) => (parcel.kind === 'dead' ? String(parcel.letter.messageId) : parcel.job.id));
}

describe('a move', () => {
  let embedded: ReturnType<typeof openEmbeddedStock>;
  let rabbit: Awaited<ReturnType<typeof openRabbitStock>>;
  beforeEach(async () => {
    embedded = openEmbeddedStock();
    rabbit = await openRabbitStock();
  });
  afterEach(async () => {
    await rabbit.close();
    await embedded.close();
  });

  it('to RabbitMQ and back brings every kind home, byte for byte', async () => {
    const parcels = everyKind();
    await fill(embedded.target(), parcels);
    const there = await run(embedded.source(), rabbit.target());
    expect(there).to.deep.equal({
      moved: { waiting: 12, delayed: 2, suspect: 2, dead: 2 },
      left: noneLeft,
      failure: undefined,
    });
    const back = await run(rabbit.source(), embedded.target());
    expect(back).to.deep.equal(there);
    expect(byIdentity(await contentOf(embedded))).to.deep.equal(byIdentity(parcels));
  });

  it('brings each of many over once: no ack is lost at the end of a queue', async () => {
    const dueAtMs = Date.now() + 3_600_000;
    const letter = {
      headers: {},
      type: 'a.type',
      body: Buffer.from('1'),
      queue: 'default',
      lane: 'low',
      death,
    };
    const each = Array.from({ length: 200 }, (): Parcel[] => [
      { kind: 'waiting', job: makeJob() },
      { kind: 'delayed', job: makeJob({ dueAtMs }) },
      { kind: 'suspect', job: makeJob({ lane: 'low' }) },
      { kind: 'dead', letter: { ...letter, messageId: makeJob().id } },
    ]);
    await fill(rabbit.target(), each.flat());
    const { moved, left } = await run(rabbit.source(), embedded.target());
    expect([moved, left]).to.deep.equal([{ waiting: 200, delayed: 200, suspect: 200, dead: 200 }, noneLeft]);
    expect(idsOf(await contentOf(embedded)).toSorted()).to.deep.equal(idsOf(each.flat()).toSorted());
  });

  it('brings what is no job over as a dead letter, with its bytes and headers', async () => {
    const target = rabbit.target();
    await target.start();
    await target.stop();
    const connection = await amqp.connect(rabbit.url);
    const channel = await connection.createConfirmChannel();
    const body = Buffer.from([1, 0, 255]);
    const contentType = 'application/x-foreign';
    const strange = { messageId: 'not-a-uuid', type: 'x', contentType, headers: { a: 1, b: ['c'] } };
    channel.publish(`${rabbit.prefix}.jobs`, 'other.low', body, strange);
    await channel.waitForConfirms();
    await connection.close();
    const once = await run(rabbit.source(), embedded.target());
    expect(once).to.deep.include({ moved: { ...noneLeft, dead: 1 }, left: noneLeft });
    await run(embedded.source(), rabbit.target());
    await run(rabbit.source(), embedded.target());
    const [parcel] = await contentOf(embedded);
    if (parcel?.kind !== 'dead') throw new Error('no dead letter');
    const { death, ...letter } = parcel.letter;
    expect(letter).to.deep.equal({ ...strange, body, queue: 'other', lane: 'low' });
    expect(death.reason).to.equal('undecodable');
    expect(death.failure.message).to.include('message_id');
  });

  it('tells of a dead letter that the broker itself made: at the delivery limit', async () => {
    const target = rabbit.target();
    const job = richJob();
    await fill(target, [{ kind: 'suspect', job }]);
    const connection = await amqp.connect(rabbit.url);
    const channel = await connection.createChannel();
    for (let take = 0; ; take++) {
      const message = await channel.get(`${rabbit.prefix}.suspects.default`);
      if (message === false && take > 5) break;
      if (message !== false) channel.nack(message, false, true);
    }
    await connection.close();
    const { moved } = await run(rabbit.source(), embedded.target());
    expect(moved).to.deep.equal({ ...noneLeft, dead: 1 });
    const [parcel] = await contentOf(embedded);
    if (parcel?.kind !== 'dead') throw new Error('no dead letter');
    expect(parcel.letter).to.deep.include({
      messageId: job.id,
      body: job.body,
      queue: 'default',
      lane: 'normal',
    });
    expect(parcel.letter.death.reason).to.equal('delivery_limit');
    expect(Math.abs(parcel.letter.death.atMs - Date.now())).to.be.below(60_000);
    expect(Object.keys(parcel.letter.headers).filter((name) => name.startsWith('x-'))).to.deep.equal([]);
  });

  it('moves nothing and names the queues when jobs wait for unknown ones', async () => {
    await fill(embedded.target(), [{ kind: 'delayed', job: makeJob({ queue: 'other' }) }]);
    const failure = await rejectionOf(
      move({
        source: embedded.source(),
        target: rabbit.target(),
        queues: ['default'],
        signal: never,
        onStart: () => expect.fail('it has begun'),
        onMoved() {},
      }),
    );
    expect(failure)
      .to.be.instanceOf(Invalid)
      .with.property('message')
      .that.includes('"other"')
      .and.includes('QUEUES');
    expect(await contentOf(embedded)).to.have.length(1);
  });

  it('meets a delayed job of an unknown queue in RabbitMQ, names it, and leaves it there', async () => {
    const job = makeJob({ queue: 'other', dueAtMs: Date.now() + 3_600_000 });
    await fill(rabbit.target(), [{ kind: 'delayed', job }]);
    const options = {
      urls: [rabbit.url],
      prefix: rabbit.prefix,
      queues: ['default'],
      clock,
      random: Math.random,
      log: createLog('silent'),
    };
    const { failure, left } = await run(createRabbitSource(options), embedded.target());
    expect(failure).to.be.instanceOf(Invalid).with.property('message').that.includes('"other"');
    expect(left).to.deep.equal({ ...noneLeft, delayed: 1 });
  });

  it('does not lead back to where it comes from: the broker itself tells', async () => {
    await fill(rabbit.target(), [{ kind: 'waiting', job: makeJob() }]);
    expect(await rejectionOf(run(rabbit.source(), rabbit.target())))
      .to.be.instanceOf(Invalid)
      .with.property('code', 'same_place');
    expect(await contentOf(rabbit)).to.have.length(1);
  });

  it('makes nothing where nothing is: a source under a prefix that nobody uses is refused', async () => {
    const source = rabbit.source();
    expect(await rejectionOf(run(source, embedded.target())))
      .to.be.instanceOf(Invalid)
      .with.property('code', 'nothing_there');
  });

  it('stops when told although its target does not answer, and goes on later', async () => {
    const parcels = Array.from({ length: 5 }, () => ({ kind: 'waiting', job: makeJob() }) as const);
    await fill(embedded.target(), parcels);
    const stopping = new AbortController();
    const unanswered: (() => void)[] = [];
    const deaf: StockTarget = {
      start: async () => {},
      put: () =>
        new Promise((_, reject) => {
          unanswered.push(() => reject(new Unavailable('stopped')));
          if (unanswered.length === parcels.length) stopping.abort();
        }),
      async stop() {
        for (const giveUp of unanswered) giveUp();
      },
    };
    const { moved, left, failure } = await run(embedded.source(), deaf, { signal: stopping.signal });
    expect({ moved, left, failure }).to.deep.equal({
      moved: noneLeft,
      left: { ...noneLeft, waiting: 5 },
      failure: undefined,
    });
    expect(idsOf(await contentOf(embedded))).to.deep.equal(idsOf(parcels));
  });
});

describe('a move through the end of the broker', () => {
  let node: RabbitNode;
  before(async () => {
    node = await startNode();
  });
  after(() => node.remove());

  const jobs = (count: number) =>
    Array.from({ length: count }, () => ({ kind: 'waiting', job: richJob() }) as const);

  for (const direction of ['to', 'from'] as const) {
    it(`loses nothing and goes on by itself, moving ${direction} it`, async () => {
      const embedded = openEmbeddedStock();
      const rabbit = await openRabbitStock(node.url);
      const parcels = jobs(4_000);
      const [from, to] = direction === 'to' ? [embedded, rabbit] : [rabbit, embedded];
      try {
        await fill(from.target(), parcels);
        let outage: Promise<void> | undefined;
        const { moved, left, failure } = await run(from.source(), await settled(to, node), {
          onMoved({ waiting }) {
            if (waiting === 1_000) outage ??= node.kill().then(() => node.restart());
          },
        });
        await outage;
        expect(outage).to.not.equal(undefined);
        expect(failure).to.equal(undefined);
        expect(left).to.deep.equal(noneLeft);
        expect(moved.waiting).to.be.within(4_000, 4_000 + 512);
        const arrived = idsOf(await contentOf(to));
        expect(new Set(arrived)).to.deep.equal(new Set(idsOf(parcels)));
        expect(arrived.length).to.be.within(4_000, 4_000 + 512);
      } finally {
        await rabbit.close();
        await embedded.close();
      }
    }).timeout(180_000);
  }

  /** Its queues are there and would survive a kill. */
  async function settled(bench: StockBench, broker: RabbitNode): Promise<StockTarget> {
    const target = bench.target();
    await target.start();
    await target.stop();
    await broker.settle();
    return bench.target();
  }
});
