import { randomBytes } from 'node:crypto';
import amqp from 'amqplib';
import { expect } from 'chai';
import { outgoingJob } from '../../../src/broker/rabbitmq/outgoing.js';
import { createPublishFrames } from '../../../src/broker/rabbitmq/publish-frames.js';
import { publishWireOf, takeOverWire } from '../../../src/broker/rabbitmq/wire.js';
import type { Job } from '../../../src/job/job.js';
import { sharedNode } from '../../support/rabbitmq.js';
import { createInbox, makeJob } from '../inbox.js';
import { createRabbitBench, type RabbitBench } from './bench.js';

describe('our own reading and writing on a connection of amqplib', () => {
  let url: string;
  let bench: RabbitBench;
  before(async () => {
    ({ url } = await sharedNode());
  });
  beforeEach(() => {
    bench = createRabbitBench(url);
  });
  afterEach(() => bench.close());

  it('brings jobs of every size and kind, published in one turn, in their order and byte for byte', async () => {
    const broker = await bench.open();
    const sizes = [2, 300, 4000, 4096, 17_000, 3, 65_536, 131_064, 131_065, 400_000, 1_048_576, 2];
    const jobs = sizes.flatMap((size): Job[] => {
      const body = Buffer.from(
        JSON.stringify(
          randomBytes(size)
            .toString('hex')
            .slice(0, size - 2),
        ),
      );
      return [makeJob({ body }), makeJob({ body, attempt: 2, maxAttempts: 7 })];
    });
    const inbox = createInbox((delivery) => void delivery.ack());
    await broker.consume({ queue: 'default', lane: 'normal', prefetch: 100 }, inbox.take);
    await Promise.all(jobs.map((job) => broker.publish(job)));
    const deliveries = await inbox.first(jobs.length);
    expect(deliveries.map(({ job }) => job)).to.deep.equal(jobs);
  });

  it('tells each publish its own outcome, whoever has written it', async () => {
    const connection = await amqp.connect(url);
    takeOverWire(connection);
    const channel = await connection.createConfirmChannel();
    const wire = publishWireOf(channel);
    const queue = bench.prefix;
    await channel.assertQueue(queue, { exclusive: true });
    if (wire === undefined) return expect.fail('there is nowhere to write');
    expect(wire.frameMax).to.equal(131_072);
    const frames = createPublishFrames(wire);
    const confirmed: number[] = [];
    for (let n = 0; n < 100; n++) {
      const tell = (): void => void confirmed.push(n);
      if (n % 3 === 0) channel.publish('', queue, Buffer.alloc(n % 2 === 0 ? 200_000 : 10), {}, tell);
      else {
        expect(frames.write(outgoingJob(makeJob(), { exchange: '', key: queue }))).to.equal(true);
        wire.written(tell);
      }
    }
    await channel.waitForConfirms();
    expect(confirmed).to.deep.equal(Array.from({ length: 100 }, (_, n) => n));
    await connection.close();
  });

  it('ends with its channel: then there is nowhere to write', async () => {
    const connection = await amqp.connect(url);
    takeOverWire(connection);
    const channel = await connection.createConfirmChannel();
    await channel.close();
    expect(publishWireOf(channel)).to.equal(undefined);
    const next = await connection.createConfirmChannel();
    const wire = publishWireOf(next);
    expect(wire?.isOpen()).to.equal(true);
    expect(publishWireOf(channel), 'its number is that of another now').to.equal(undefined);
    const closing = next.close();
    expect(wire?.isOpen(), 'while it is closing').to.equal(false);
    await closing;
    const last = publishWireOf(await connection.createConfirmChannel());
    const closed = connection.close();
    expect(last?.isOpen(), 'while the connection is closing').to.equal(false);
    await closed;
  });

  it('keeps a connection alive by what it writes and reads: the heartbeat sees both', async () => {
    const connection = await amqp.connect(url);
    takeOverWire(connection);
    const channel = await connection.createConfirmChannel();
    const checks = connection.connection as unknown as { checkSend(): boolean; checkRecv(): boolean };
    const queue = bench.prefix;
    await channel.assertQueue(queue, { exclusive: true });
    checks.checkSend();
    checks.checkRecv();
    await new Promise<void>((resolve) => {
      const wire = publishWireOf(channel);
      if (wire === undefined) return expect.fail('there is nowhere to write');
      createPublishFrames(wire).write(outgoingJob(makeJob(), { exchange: '', key: queue }));
      wire.written(() => resolve());
    });
    expect(checks.checkSend()).to.equal(true);
    expect(checks.checkRecv()).to.equal(true);
    await connection.close();
  });
});
