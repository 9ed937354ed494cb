/** The whole product on a prefix and a folder of its own: ingestion, workers, recorder and dead letters, as a user meets them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import amqp from 'amqplib';
import { request } from 'undici';
import type { AuditReport } from '../../src/api/audit.js';
import type { Accepted } from '../../src/api/contract.js';
import { eventually } from '../support/eventually.js';
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

type Env = Readonly<Record<string, string>>;

/** An answer of the HTTP interface. */
export interface Said {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  // biome-ignore lint/suspicious/noExplicitAny: what a test reads of it, it checks
  readonly body: any;
}

export interface Stage {
  readonly prefix: string;
  /** DATA_DIR of every process. */
  readonly dataDir: string;
  /** Of the newest `serve`. */
  readonly address: string;
  /** Starts `record` and resolves when it runs. */
  record(env?: Env): Promise<Sluice>;
  /** A request to the newest `serve`, or to the address given. */
  call(method: string, path: string, body?: unknown, headers?: Env, address?: string): Promise<Said>;
  /** Resolves when the store knows the job: before, a kill of the process that accepted it makes the world forget that it did. */
  recorded(id: string): Promise<void>;
  /** `sluice verify` against the newest `serve`. */
  verify(...options: string[]): Promise<{ readonly code: number | null; readonly report: AuditReport }>;
  /** Ends all processes with `kill -9`. */
  killAll(): Promise<void>;
  /** Starts `serve` and resolves with its address. */
  serve(env?: Env): Promise<string>;
  /** The same, and resolves with the process. */
  serving(env?: Env): Promise<Sluice>;
  /** Starts `work` without waiting for it: the first job may kill it. */
  launchWork(env?: Env): Sluice;
  /** Starts `work` and resolves when it runs. */
  work(env?: Env): Promise<Sluice>;
  /** Ends all `work` in good order: what they have done is acked. */
  endWork(): Promise<void>;
  /** Submits a job and resolves with its id. @throws when it is not accepted */
  submit(job: object): Promise<string>;
  /** Resolves with the first `count` dead letters once they are there, and removes them. */
  deadLetters(count: number): Promise<DeadLetter[]>;
  /** Ends everything that was started. */
  close(): Promise<void>;
}

const running = /http:\/\/127\.0\.0\.1:\d+/;

/** @param options  a broker other than the shared one; settings of every process */
export async function openStage(
  options: { readonly url?: string; readonly env?: Env; readonly queues?: readonly string[] } = {},
): Promise<Stage> {
  const amqpUrl = options.url ?? (await sharedNode()).url;
  const prefix = randomPrefix();
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-stage-'));
  const processes: Sluice[] = [];
  const workers: Sluice[] = [];
  const common = {
    AMQP_URL: amqpUrl,
    AMQP_PREFIX: prefix,
    PORT: '0',
    WORKER_PORT: '0',
    HTTP_PUSH_ALLOW_PRIVATE: 'true',
    DATA_DIR: dataDir,
    ...options.env,
  };
  let address = '';

  function launch(role: 'serve' | 'work' | 'record', env: Env): Sluice {
    const process = startSluice([role], { ...common, ...env });
    processes.push(process);
    if (role === 'work') workers.push(process);
    return process;
  }

  const stage: Stage = {
    prefix,
    dataDir,
    get address() {
      return address;
    },
    async record(env = {}) {
      const process = launch('record', env);
      await process.waitForLine(running);
      return process;
    },
    async call(method, path, body, headers = {}, at = address) {
      const answer = await request(`${at}${path}`, {
        method,
        headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.statusCode, headers: answer.headers, body: await answer.body.json() };
    },
    async recorded(id) {
      await eventually(async () => (await stage.call('GET', `/v1/jobs/${id}`)).body.recorded === true);
    },
    async verify(...args) {
      const process = startSluice(['verify', '--url', address, '--json', ...args]);
      const { code } = await process.exited;
      const [line] = process.stdout;
      if (line === undefined) throw new Error(`verify said nothing: ${process.stderr.join('\n')}`);
      return { code, report: JSON.parse(line) };
    },
    async killAll() {
      for (const process of processes) process.kill('SIGKILL');
      await Promise.all(processes.map((process) => process.exited));
    },
    async serve(env = {}) {
      await stage.serving(env);
      return address;
    },
    async serving(env = {}) {
      const process = launch('serve', env);
      address = (await process.waitForLine(running)).match(running)?.[0] ?? '';
      // It listens after a while without its broker, too, which a busy machine can keep it waiting for.
      await eventually(async () => (await stage.call('GET', '/readyz')).status === 200);
      return process;
    },
    launchWork: (env = {}) => launch('work', env),
    async work(env = {}) {
      const process = launch('work', env);
      await process.waitForLine(running);
      return process;
    },
    async endWork() {
      const ending = workers.splice(0);
      for (const process of ending) process.kill();
      await Promise.all(ending.map((process) => process.exited));
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
      await stage.killAll();
      if (options.url === undefined) await cleanPrefix(amqpUrl, prefix, options.queues);
      rmSync(dataDir, { recursive: true, force: true });
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
