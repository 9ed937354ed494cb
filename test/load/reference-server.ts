/** The reference of the ingestion bench: the same Koa route with JSON body, answering 202 at once, or after a raw confirmed publish. */
import amqp from 'amqplib';
import { listen } from './reference-route.js';

const { AMQP_URL, QUEUE = '' } = process.env;

async function createPublish(url: string): Promise<(body: Buffer) => Promise<void>> {
  const connection = await amqp.connect(url, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  return (body) =>
    new Promise((resolve, reject) => {
      channel.publish('', QUEUE, body, { persistent: true }, (error: unknown) =>
        error ? reject(error instanceof Error ? error : new Error(String(error))) : resolve(),
      );
    });
}

const publish = AMQP_URL === undefined ? undefined : await createPublish(AMQP_URL);
let count = 0;
listen(async ({ payload }) => {
  count += 1;
  const id = String(count);
  if (publish !== undefined) await publish(Buffer.from(JSON.stringify(payload)));
  return id;
});
