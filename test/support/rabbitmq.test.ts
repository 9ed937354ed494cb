import amqp from 'amqplib';
import { expect } from 'chai';
import { cleanPrefix, randomPrefix } from './prefix.js';
import { type RabbitNode, sharedNode, startNode } from './rabbitmq.js';

describe('a private RabbitMQ node', () => {
  let node: RabbitNode;
  before(async () => {
    node = await startNode();
  });
  after(() => node.remove());

  it('keeps confirmed messages through a kill and comes back on the same port', async () => {
    const queue = randomPrefix();
    const before = await amqp.connect(node.url);
    const isLost = new Promise<void>((resolve) => {
      before.once('close', () => resolve());
    });
    before.on('error', () => undefined);
    const channel = await before.createConfirmChannel();
    channel.on('error', () => undefined);
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    channel.sendToQueue(queue, Buffer.from('kept'), { persistent: true });
    await channel.waitForConfirms();
    await node.settle();
    await node.kill();
    await isLost;
    await node.restart();

    const after = await amqp.connect(node.url);
    const reader = await after.createChannel();
    const body = await new Promise<string>((resolve) => {
      void reader.consume(queue, (message) => resolve(String(message?.content)), { noAck: true });
    });
    expect(body).to.equal('kept');
    await after.close();
  });

  it('blocks publishers while its memory alarm is raised', async () => {
    const connection = await amqp.connect(node.url);
    const channel = await connection.createConfirmChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const blocked = new Promise<string>((resolve) => {
      connection.once('blocked', resolve);
    });
    await node.setMemoryAlarm(true);
    channel.sendToQueue(queue, Buffer.from('x'));
    expect(await blocked).to.contain('memory');
    const unblocked = new Promise<void>((resolve) => {
      connection.once('unblocked', resolve);
    });
    await node.setMemoryAlarm(false);
    await unblocked;
    await channel.waitForConfirms();
    await connection.close();
  });

  it('closes all connections by force', async () => {
    const connection = await amqp.connect(node.url);
    const reason = new Promise<string>((resolve) => {
      connection.once('close', (error: Error) => resolve(error.message)); // amqplib does not count this close as an error
    });
    await node.closeAllConnections();
    expect(await reason)
      .to.contain('CONNECTION_FORCED')
      .and.contain('320');
  });
});

describe('the shared node', () => {
  it('is the same for all who ask', async () => {
    expect((await sharedNode()).url).to.equal((await sharedNode()).url);
  });

  it('loses the topology of a prefix that is cleaned, and of no other', async () => {
    const { url } = await sharedNode();
    const [mine, other] = [randomPrefix(), randomPrefix()];
    const connection = await amqp.connect(url);
    const channel = await connection.createChannel();
    for (const prefix of [mine, other])
      await channel.assertQueue(`${prefix}.jobs.mail.high`, { durable: true });
    await cleanPrefix(url, mine, ['mail']);
    await channel.checkQueue(`${other}.jobs.mail.high`);
    channel.on('error', () => undefined);
    const found = await channel.checkQueue(`${mine}.jobs.mail.high`).then(
      () => 'still there',
      (error: Error) => error.message,
    );
    expect(found).to.contain('404');
    await cleanPrefix(url, other, ['mail']);
    await connection.close();
  });
});
