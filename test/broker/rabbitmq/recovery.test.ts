import amqp from 'amqplib';
import { expect } from 'chai';
import type { Broker } from '../../../src/broker/broker.js';
import { Invalid, Unavailable } from '../../../src/job/errors.js';
import { systemClock } from '../../../src/runtime/clock.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/free-port.js';
import { startProxy } from '../../support/proxy.js';
import { createInbox, makeJob } from '../inbox.js';
import { useOwnNode } from './bench.js';

const source = { queue: 'default', lane: 'normal', prefetch: 100 } as const;

/** Publishes a job until it is confirmed, as a client that honours a 503 would. */
async function insist(broker: Broker, job = makeJob()): Promise<string> {
  await eventually(() =>
    broker.publish(job).then(
      () => true,
      () => false,
    ),
  );
  return job.id;
}

describe('RabbitMQ recovery', function () {
  this.timeout(120_000);
  const own = useOwnNode();

  const ends = [
    ['killed', () => own.node.kill()],
    ['restarted', () => own.node.stop()],
  ] as const;
  for (const [how, end] of ends)
    it(`loses no confirmed job when the broker is ${how} under load, and delivers again afterwards`, async () => {
      const broker = await own.bench.open();
      await own.node.settle();
      const accepted = new Set<string>();
      const inbox = createInbox((delivery) => void delivery.ack().catch(() => {})); // Lost: it comes again.
      let isLoading = true;
      const load = Array.from({ length: 50 }, async () => {
        while (isLoading) {
          const job = makeJob();
          await broker.publish(job).then(
            () => accepted.add(job.id),
            () => new Promise((resolve) => setTimeout(resolve, 20)),
          );
        }
      });
      await broker.consume(source, inbox.take);
      await inbox.first(500);
      await end();
      await own.node.restart();
      const before = accepted.size;
      const mark = await insist(broker);
      await inbox.until((all) => all.some((one) => one.job.id === mark));
      isLoading = false;
      await Promise.all(load);
      expect(before).to.be.at.least(400);
      expect(broker.stats.reconnects).to.be.at.least(2);
      await inbox.until(
        (all) => all.length >= accepted.size && [...accepted].every((id) => inbox.ids.has(id)),
      );
    });

  it('loses no confirmed job although the broker is killed right after its queues were made', async () => {
    const broker = await own.bench.open({ newQueueMs: 2_000 });
    const jobs = Array.from({ length: 100 }, () => makeJob());
    await Promise.all(jobs.map((job) => broker.publish(job)));
    await own.node.kill();
    await own.node.restart();
    const inbox = createInbox((delivery) => void delivery.ack());
    await broker.consume(source, inbox.take);
    await inbox.until(() => inbox.ids.size === jobs.length);
  });

  it('consumes again after the broker has closed every connection', async () => {
    const broker = await own.bench.open();
    const inbox = createInbox((delivery) => void delivery.ack());
    await broker.consume(source, inbox.take);
    await insist(broker);
    await inbox.first(1);
    await own.node.closeAllConnections();
    const mark = await insist(broker);
    await inbox.until((all) => all.some((one) => one.job.id === mark));
    await eventually(() => broker.health().ok);
  });

  it('consumes again after its queue was deleted under it', async () => {
    const broker = await own.bench.open();
    const inbox = createInbox((delivery) => void delivery.ack());
    await broker.consume(source, inbox.take);
    const connection = await amqp.connect(own.node.url);
    const channel = await connection.createChannel();
    await channel.deleteQueue(`${own.bench.prefix}.jobs.default.normal`);
    await connection.close();
    const mark = await insist(broker);
    await inbox.until((all) => all.some((one) => one.job.id === mark));
  });

  it('publishes again after its exchange was deleted under it', async () => {
    const broker = await own.bench.open();
    const connection = await amqp.connect(own.node.url);
    const channel = await connection.createChannel();
    await channel.deleteExchange(`${own.bench.prefix}.jobs`);
    await connection.close();
    const mark = await insist(broker);
    const inbox = createInbox();
    await broker.consume(source, inbox.take);
    const [delivery] = await inbox.first(1);
    expect(delivery?.job.id).to.equal(mark);
  });

  it('sends a delayed job whose queue is gone to the dead letters, and holds up no other', async () => {
    const broker = await own.bench.open();
    const dueAtMs = Date.now() + 600;
    await broker.publish(makeJob({ lane: 'low', dueAtMs }));
    await broker.publish(makeJob({ dueAtMs }));
    const connection = await amqp.connect(own.node.url);
    const channel = await connection.createChannel();
    await channel.deleteQueue(`${own.bench.prefix}.jobs.default.low`);
    const inbox = createInbox((delivery) => void delivery.ack());
    await broker.consume(source, inbox.take);
    await inbox.first(1);
    const dead = createInbox();
    await channel.consume(`${own.bench.prefix}.dead`, () => dead.take({ job: makeJob() } as never), {
      noAck: true,
    });
    await dead.first(1);
    await connection.close();
  });

  it('moves a message that is no job to the dead letters with its raw bytes', async () => {
    const broker = await own.bench.open();
    await broker.consume(source, () => {
      throw new Error('must not be delivered');
    });
    const connection = await amqp.connect(own.node.url);
    const channel = await connection.createChannel();
    const raw = Buffer.from([0xff, 0x00, 0x01]);
    channel.publish(`${own.bench.prefix}.jobs`, 'default.normal', raw, {
      messageId: 'x',
      headers: { mine: 1 },
    });
    const message = await new Promise<amqp.ConsumeMessage>((resolve) => {
      void channel.consume(`${own.bench.prefix}.dead`, (one) => one && resolve(one), { noAck: true });
    });
    await connection.close();
    expect(message.content).to.deep.equal(raw);
    expect(message.properties.headers).to.include({ mine: 1, 'sluice-dead-reason': 'undecodable' });
    expect(message.properties.messageId).to.equal('x');
    expect(broker.stats.undecodable).to.equal(1);
  });

  it('has the broker dead-letter a message that is no job and cannot be published anew', async () => {
    const broker = await own.bench.open();
    await broker.consume(source, () => {
      throw new Error('must not be delivered');
    });
    const connection = await amqp.connect(own.node.url);
    const channel = await connection.createChannel();
    // At the limit of what amqplib encodes: with the reason it is beyond.
    const headers = { big: 'x'.repeat(65_400) };
    channel.publish(`${own.bench.prefix}.jobs`, 'default.normal', Buffer.from('raw'), { headers });
    const message = await new Promise<amqp.ConsumeMessage>((resolve) => {
      void channel.consume(`${own.bench.prefix}.dead`, (one) => one && resolve(one), { noAck: true });
    });
    await connection.close();
    expect(message.content.toString()).to.equal('raw');
  });

  it('declares from time to time what somebody has deleted, though nothing has run into the gap', async () => {
    const clock = {
      ...systemClock,
      after: (ms: number, run: () => void) => systemClock.after(ms === 60_000 ? 100 : ms, run),
    };
    await own.bench.open({ clock });
    const connection = await amqp.connect(own.node.url);
    const exists = async (queue: string): Promise<boolean> => {
      const channel = await connection.createChannel();
      channel.on('error', () => {});
      return channel.checkQueue(queue).then(
        () => true,
        () => false,
      );
    };
    const level = `${own.bench.prefix}.delay.00`;
    await (await connection.createChannel()).deleteQueue(level);
    await eventually(() => exists(level));
    await connection.close();
  });

  it('uses the next host of its list when one is down', async () => {
    const gone = `amqp://guest:guest@127.0.0.1:${await freePort()}`;
    const broker = await own.bench.open({ urls: [gone, own.node.url] });
    await broker.publish(makeJob());
  });

  it('gets through a network that cuts the connection again and again while it is being set up', async () => {
    const proxy = await startProxy(own.node.url);
    const broker = own.bench.make({ urls: [proxy.url] });
    const started = broker.start();
    for (let cut = 0; cut < 5; cut++) {
      await proxy.nextConnection();
      proxy.cut();
    }
    await started;
    await insist(broker);
    expect(broker.health().ok).to.equal(true);
    await broker.stop();
    await proxy.close();
  });

  const refusals: [string, () => string, RegExp][] = [
    ['a wrong password', () => own.node.url.replace('guest:guest', 'guest:hunter2'), /password/],
    ['a virtual host that does not exist', () => `${own.node.url}/nowhere`, /virtual host 'nowhere'/],
  ];
  for (const [what, url, message] of refusals) {
    it(`does not start with ${what}, and says what to mend without the password`, async () => {
      const broker = own.bench.make({ urls: [url()] });
      const error = await broker.start().then(
        () => undefined,
        (reason: unknown) => reason as Error,
      );
      expect(error).to.be.instanceOf(Invalid);
      expect(error?.message).to.match(message).and.not.include('hunter2');
    });
  }

  it('does not start on a queue of the same name with other arguments', async () => {
    const connection = await amqp.connect(own.node.url);
    const channel = await connection.createChannel();
    await channel.assertQueue(`${own.bench.prefix}.dead`, { durable: true });
    await connection.close();
    const error = await own.bench
      .make()
      .start()
      .then(
        () => undefined,
        (reason: unknown) => reason as Error,
      );
    expect(error).to.be.instanceOf(Invalid).with.property('code', 'topology_mismatch');
    expect(error?.message).to.include(`${own.bench.prefix}.dead`);
  });

  it('stops while it is reconnecting', async () => {
    const proxy = await startProxy(own.node.url);
    const broker = await own.bench.open({ urls: [proxy.url] });
    proxy.refuse(true);
    proxy.cut();
    await broker.stop();
    const error = await broker.publish(makeJob()).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(Unavailable);
    await proxy.close();
  });

  it('stops although its peer has fallen silent', async () => {
    const proxy = await startProxy(own.node.url);
    const broker = await own.bench.open({ urls: [proxy.url] });
    await broker.consume(source, () => {});
    const inbox = createInbox();
    await broker.consume({ ...source, lane: 'high' }, inbox.take);
    await broker.publish(makeJob({ lane: 'high' }));
    const [delivery] = await inbox.first(1);
    proxy.pause();
    await broker.stop();
    expect(delivery?.isLost).to.equal(true);
    await proxy.close();
  });
});
