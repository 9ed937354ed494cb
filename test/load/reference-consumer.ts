/** The reference of the drain bench: amqplib alone, prefetch 100, JSON.parse, an ack for each. */
import amqp from 'amqplib';

const { AMQP_URL = '', QUEUE = '' } = process.env;

const connection = await amqp.connect(AMQP_URL, { noDelay: true });
const channel = await connection.createChannel();
await channel.prefetch(100);
await channel.consume(QUEUE, (message) => {
  if (message === null) return;
  JSON.parse(message.content.toString('utf8'));
  channel.ack(message);
});
process.stdout.write('ready\n');
process.once('SIGTERM', () => void connection.close());
