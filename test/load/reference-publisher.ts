/** The reference of the batch bench: amqplib alone, persistent and confirmed, a thousand at a time. Prints `took <ms>`. */
import amqp from 'amqplib';

const { AMQP_URL = '', QUEUE = '', BODY = '', BATCHES = '0', WARM_UP = '0' } = process.env;
const BATCH = 1000;

const connection = await amqp.connect(AMQP_URL, { noDelay: true });
const channel = await connection.createConfirmChannel();
await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
const body = Buffer.from(BODY);

async function publish(batches: number): Promise<void> {
  for (let batch = 0; batch < batches; batch++) {
    for (let i = 0; i < BATCH; i++) channel.publish('', QUEUE, body, { persistent: true });
    await channel.waitForConfirms();
  }
}

await publish(Number(WARM_UP));
const startMs = performance.now();
await publish(Number(BATCHES));
process.stdout.write(`ready\ntook ${performance.now() - startMs}\n`);
await connection.close();
