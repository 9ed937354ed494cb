import amqp from 'amqplib';
import { expect } from 'chai';
import type { Broker } from '../../../src/broker/broker.js';
import type { BatchDelivery, LetterDelivery } from '../../../src/broker/event-channel.js';
import { eventually } from '../../support/eventually.js';
import { startProxy } from '../../support/proxy.js';
import { exerciseAlarms } from '../conformance-alarms.js';
import { createInbox, makeJob, rejectionOf } from '../inbox.js';
import { createPile } from '../pile.js';
import { createRabbitBench, useOwnNode } from './bench.js';

const source = { queue: 'default', lane: 'normal', prefetch: 10 } as const;

describe('events on RabbitMQ', () => {
  const own = useOwnNode();

  exerciseAlarms('RabbitMQ', async () => ({
    ...createRabbitBench(own.node.url),
    stop: (broker) => broker.stop(),
    crash: (broker) => broker.stop(),
    setAlarm: (_broker, isRaised) => own.node.setMemoryAlarm(isRaised),
  }));

  /** Publishes batches one after the other until told to stop; resolves with the texts of all that were confirmed. */
  function keepPublishing(broker: Broker): { readonly confirmed: string[]; stop(): Promise<void> } {
    const confirmed: string[] = [];
    let isOver = false;
    const ended = (async () => {
      for (let i = 0; !isOver; i++) {
        await broker.events.publish(Buffer.from(`batch ${i}`)).done;
        confirmed.push(`batch ${i}`);
      }
    })();
    return {
      confirmed,
      async stop() {
        isOver = true;
        await ended;
      },
    };
  }

  async function expectAll(broker: Broker, texts: readonly string[]): Promise<void> {
    const came = new Set<string>();
    const pile = createPile<BatchDelivery>((held) => {
      came.add(held.batch.toString());
      void held.ack();
    });
    await broker.events.consume(50, pile.take);
    await pile.until(() => texts.every((text) => came.has(text)));
  }

  it('brings a job whose lane was not there when it was due into its lane: that is no dead letter', async () => {
    const broker = await own.bench.open({ queues: ['default'] });
    const connection = await amqp.connect(own.node.url);
    const channel = await connection.createChannel();
    const words = [...Array.from({ length: 28 }, () => '*'), 'default', 'normal'];
    await channel.unbindQueue(
      `${own.bench.prefix}.jobs.default.normal`,
      `${own.bench.prefix}.due`,
      words.join('.'),
    );
    const [late, gone] = [makeJob({ dueAtMs: Date.now() + 150 }), makeJob()];
    await broker.publish(late);
    // A dead letter of ours, to show that the others have been looked at.
    await broker.publish(gone);
    const inbox = createInbox();
    await broker.consume(source, inbox.take);
    const [first] = await inbox.first(1);
    const dead = createPile<LetterDelivery>((held) => void held.ack());
    await eventually(async () => (await channel.checkQueue(`${own.bench.prefix}.dead`)).messageCount > 0);
    await first?.deadLetter({ reason: 'permanent', failure: { name: 'E', message: 'm' }, atMs: 1 });
    await broker.events.consumeDead(10, dead.take);
    const [, second] = await inbox.first(2);
    expect(second?.job).to.deep.equal(late);
    await dead.first(1);
    expect(dead.items.map(({ letter }) => letter.messageId)).to.deep.equal([gone.id]);
    await connection.close();
  });

  it('holds on to a batch while the broker is killed and comes back, and loses none', async () => {
    const broker = await own.bench.open();
    await own.node.settle();
    const told = createPile<BatchDelivery>();
    await broker.events.consume(3, told.take);
    const load = keepPublishing(broker);
    await told.first(3);
    await own.node.kill();
    const pending = broker.events.publish(Buffer.from('during'));
    await own.node.restart();
    await pending.done;
    await load.stop();
    // What the first consumer holds was redelivered to it after the loss: it stops, so that all comes to one.
    await broker.stop();
    await expectAll(await own.bench.open(), [...load.confirmed, 'during']);
  });

  it('holds on to a batch through an outage, and delivers those in hand again', async () => {
    const proxy = await startProxy(own.node.url);
    const broker = await own.bench.open({ urls: [proxy.url] });
    await broker.events.publish(Buffer.from('before')).done;
    const pile = createPile<BatchDelivery>();
    await broker.events.consume(5, pile.take);
    await pile.first(1);
    proxy.refuse(true);
    proxy.cut();
    const pending = broker.events.publish(Buffer.from('during'));
    proxy.refuse(false);
    await pending.done;
    const texts = (): string[] => pile.items.map(({ batch }) => batch.toString());
    await pile.until(() => texts().filter((text) => text === 'before').length === 2);
    await pile.until(() => texts().includes('during'));
    await broker.stop();
    await proxy.close();
  });

  it('takes no place of a job in the window, and is kept waiting by none', async () => {
    const proxy = await startProxy(own.node.url);
    const broker = await own.bench.open({ urls: [proxy.url], window: 2 });
    proxy.pause();
    const batches = Array.from(
      { length: 10 },
      (_, i) => broker.events.publish(Buffer.from(`batch ${i}`)).done,
    );
    const jobs = Array.from({ length: 5 }, () => rejectionOf(broker.publish(makeJob())));
    batches.push(broker.events.publish(Buffer.from('behind the jobs')).done);
    expect(broker.stats.unconfirmed).to.equal(2);
    expect(await jobs[4]).to.have.property('code', 'overloaded');
    proxy.resume();
    await Promise.all(batches);
    expect(await Promise.all(jobs.slice(0, 4))).to.deep.equal([undefined, undefined, undefined, undefined]);
    await broker.stop();
    await proxy.close();
  });

  it('declares the queue of the recorder again when it was deleted, and a batch waits for it', async () => {
    const broker = await own.bench.open();
    await own.node.rabbitmqctl('delete_queue', `${own.bench.prefix}.recorder`);
    await broker.events.publish(Buffer.from('one')).done;
    expect(await broker.inspect()).to.deep.include({ events: 1 });
  });

  it('tells every process on its prefix of an announcement, and nobody else', async () => {
    const [one, two] = [await own.bench.open(), await own.bench.open()];
    const elsewhere = createRabbitBench(own.node.url);
    const stranger = await elsewhere.open();
    const heard = [createPile<void>(), createPile<void>(), createPile<void>()] as const;
    for (const [i, broker] of [one, two, stranger].entries())
      await broker.events.onAnnouncement(() => heard[i]?.take());
    const before = heard.map(({ items }) => items.length);
    await one.events.announce();
    await heard[0].first((before[0] ?? 0) + 1);
    await heard[1].first((before[1] ?? 0) + 1);
    await two.events.announce();
    await heard[0].first((before[0] ?? 0) + 2);
    await heard[1].first((before[1] ?? 0) + 2);
    expect(heard[2].items).to.have.length(before[2] ?? 0);
    await elsewhere.close();
  });

  it('calls who listens to announcements after each reconnect, and is bound again', async () => {
    const [listening, announcing] = [own.bench.make(), await own.bench.open()];
    const heard = createPile<void>();
    await listening.events.onAnnouncement(() => heard.take()); // Before it is started.
    await listening.start();
    await heard.first(1);
    for (let round = 0; round < 3; round++) {
      const before = heard.items.length;
      await own.node.closeAllConnections();
      await heard.first(before + 1);
    }
    await eventually(() => announcing.health().ok);
    const before = heard.items.length;
    await announcing.events.announce();
    await heard.first(before + 1);
  });

  it('does not keep whoever announces during an outage, and announces once it is over', async () => {
    const proxy = await startProxy(own.node.url);
    const announcing = await own.bench.open({ urls: [proxy.url] });
    const heard = createPile<void>();
    await (await own.bench.open()).events.onAnnouncement(() => heard.take());
    const before = heard.items.length;
    proxy.refuse(true);
    proxy.cut();
    await eventually(() => !announcing.stats.isUp);
    await Promise.all([announcing.events.announce(), announcing.events.announce()]);
    proxy.refuse(false);
    await heard.first(before + 1);
    await announcing.stop();
    await proxy.close();
  });

  it('closes the channel of a consumer that was cancelled once its last delivery is settled, 100 times over', async () => {
    const broker = await own.bench.open();
    const channels = async (): Promise<number> =>
      Number(await own.node.evaluate('length(rabbit_channel:list()).'));
    const before = await channels();
    await broker.publish(makeJob());
    const held = createInbox();
    const holding = await broker.consume(source, held.take);
    const [last] = await held.first(1);
    await holding.cancel();
    for (let round = 0; round < 100; round++) {
      await Promise.all([broker.publish(makeJob()), broker.publish(makeJob())]);
      const inbox = createInbox();
      const consumer = await broker.consume({ ...source, prefetch: 1 + (round % 2) }, inbox.take);
      await inbox.first(1);
      await consumer.cancel();
      await Promise.all(inbox.deliveries.map((delivery) => delivery.ack()));
    }
    // The channel of what is still in hand stays, and carries its settle.
    await eventually(async () => (await channels()) <= before + 1);
    expect(await channels()).to.equal(before + 1);
    await last?.ack();
    await eventually(async () => (await channels()) <= before);
    expect(broker.health().ok).to.equal(true);
  });
});
