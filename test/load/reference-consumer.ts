/**
 * The reference of the benches of drain and pickup: amqplib alone, prefetch 100, JSON.parse, an ack for each; or it says how long after
 * its request was to leave a job began.
 */
import amqp from 'amqplib';

const { AMQP_URL = '', QUEUE = '' } = process.env;

const connection = await amqp.connect(AMQP_URL, { noDelay: true });
const channel = await connection.createChannel();
await channel.prefetch(100);
await channel.consume(QUEUE, (message) => {
  if (message === null) return;
  const { sentAtMs } = JSON.parse(message.content.toString('utf8')) as { readonly sentAtMs?: number };
  if (sentAtMs !== undefined)
    process.stdout.write(`picked up after ${performance.timeOrigin + performance.now() - sentAtMs} ms\n`);
  channel.ack(message);
});
process.stdout.write('ready\n');
process.once('SIGTERM', () => void connection.close());
