/** The whole product on a prefix of its own: ingestion, workers and what lies in the dead letters, as a user meets them. */
import amqp from 'amqplib';
import { request } from 'undici';
import type { Accepted } from '../../src/api/contract.js';
import { cleanPrefix, randomPrefix } from '../support/prefix.js';
import { sharedNode } from '../support/rabbitmq.js';
import { type Sluice, startSluice } from '../support/sluice.js';

export interface DeadLetter {
  readonly id: string;
  readonly type: string;
  readonly reason: string;
  readonly error: { readonly name: string; readonly message: string };
  readonly attempt: number;
  readonly body: string;
}

export interface Stage {
  readonly prefix: string;
  /** Starts `serve` and resolves with its address. */
  serve(env?: Readonly<Record<string, string>>): Promise<string>;
  /** Starts `work` without waiting for it: the first job may kill it. */
  launchWork(env?: Readonly<Record<string, string>>): Sluice;
  /** Starts `work` and resolves when it runs. */
  work(env?: Readonly<Record<string, string>>): Promise<Sluice>;
  /** Submits a job and resolves with its id. @throws when it is not accepted */
  submit(job: object): Promise<string>;
  /** Resolves with the first `count` dead letters once they are there, and removes them. */
  deadLetters(count: number): Promise<DeadLetter[]>;
  /** Ends everything that was started. */
  close(): Promise<void>;
}

const running = /http:\/\/127\.0\.0\.1:\d+/;

export async function openStage(url?: string): Promise<Stage> {
  const amqpUrl = url ?? (await sharedNode()).url;
  const prefix = randomPrefix();
  const processes: Sluice[] = [];
  const common = {
    AMQP_URL: amqpUrl,
    AMQP_PREFIX: prefix,
    PORT: '0',
    WORKER_PORT: '0',
    HTTP_PUSH_ALLOW_PRIVATE: 'true',
  };
  let address = '';

  function launch(role: 'serve' | 'work', env: Readonly<Record<string, string>>): Sluice {
    const process = startSluice([role], { ...common, ...env });
    processes.push(process);
    return process;
  }

  const stage: Stage = {
    prefix,
    async serve(env = {}) {
      const line = await launch('serve', env).waitForLine(running);
      address = line.match(running)?.[0] ?? '';
      return address;
    },
    launchWork: (env = {}) => launch('work', env),
    async work(env = {}) {
      const process = launch('work', env);
      await process.waitForLine(running);
      return process;
    },
    async submit(job) {
      const answer = await request(`${address}/v1/jobs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(job),
      });
      if (answer.statusCode !== 202) throw new Error(`${answer.statusCode}: ${await answer.body.text()}`);
      return ((await answer.body.json()) as Accepted).id;
    },
    async deadLetters(count) {
      const connection = await amqp.connect(amqpUrl);
      const channel = await connection.createChannel();
      const letters = await new Promise<DeadLetter[]>((resolve, reject) => {
        const found: DeadLetter[] = [];
        channel
          .consume(
            `${prefix}.dead`,
            (message) => {
              if (message === null || found.length === count) return;
              found.push(read(message));
              if (found.length === count) resolve(found);
            },
            { noAck: true },
          )
          .catch(reject);
      });
      await connection.close();
      return letters;
    },
    async close() {
      for (const process of processes) process.kill('SIGKILL');
      await Promise.all(processes.map((process) => process.exited));
      await cleanPrefix(amqpUrl, prefix);
    },
  };
  return stage;
}

function read(message: amqp.ConsumeMessage): DeadLetter {
  const { messageId, type, headers = {} } = message.properties;
  return {
    id: String(messageId),
    type: String(type),
    // What the broker itself dead-letters, such as at the delivery limit, has no reason of ours.
    reason: String(
      headers['sluice-dead-reason'] ?? headers['x-death']?.[0]?.reason ?? headers['x-first-death-reason'],
    ),
    error: JSON.parse(String(headers['sluice-dead-error'] ?? '{}')),
    attempt: Number(headers['sluice-attempt'] ?? 1),
    body: message.content.toString(),
  };
}
