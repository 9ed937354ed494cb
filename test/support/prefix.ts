/** Names of their own for every test on a shared broker, and their removal. */
import { randomBytes } from 'node:crypto';
import amqp from 'amqplib';

/** A value for AMQP_PREFIX that no other test has. */
export function randomPrefix(): string {
  return `t${randomBytes(6).toString('hex')}`;
}

/**
 * Deletes the topology of one prefix (design.md, section 5). What does not exist is passed over.
 * @param queues  the queues whose lanes are deleted
 */
export async function cleanPrefix(
  url: string,
  prefix: string,
  queues: readonly string[] = ['default'],
): Promise<void> {
  const connection = await amqp.connect(url, { noDelay: true });
  connection.on('error', () => undefined);
  try {
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    const levels = Array.from({ length: 28 }, (_, level) => `delay.${String(level).padStart(2, '0')}`);
    const lanes = queues.flatMap((queue) => ['high', 'normal', 'low'].map((lane) => `jobs.${queue}.${lane}`));
    const suspects = queues.map((queue) => `suspects.${queue}`);
    const deleted = [...levels, ...lanes, ...suspects, 'suspects', 'dead', 'recorder'].map((name) =>
      channel.deleteQueue(`${prefix}.${name}`),
    );
    const exchanges = [...levels, 'jobs', 'due', 'dead', 'suspects', 'events', 'control'].map((name) =>
      channel.deleteExchange(`${prefix}.${name}`),
    );
    await Promise.all([...deleted, ...exchanges]);
  } finally {
    await connection.close();
  }
}
