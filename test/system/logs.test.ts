/** What the processes say of jobs, and never say of secrets and payloads: their real lines, read as a person would grep them. */
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import amqp from 'amqplib';
import { expect } from 'chai';
import { v7 } from 'uuid';
import { eventually } from '../support/eventually.js';
import { sharedNode } from '../support/rabbitmq.js';
import { type Sink, startSink } from '../support/sink.js';
import { type Sluice, startSluice } from '../support/sluice.js';
import { openStage, type Stage } from './stage.js';

const HANDLERS = fileURLToPath(new URL('fixtures/leaking.mjs', import.meta.url));
const traceId = '0af7651916cd43dd8448eb211c80319c';
const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };

const secrets = {
  apiKey: 'the-api-key-of-the-shop',
  push: Buffer.from('thirty-two bytes of a push secret').toString('base64'),
  smtp: 'smtp-password-4711',
  smtpEncoded: 'smtp%2Dpassword%2D4711',
  database: 'db-password-0815',
  endpoint: 'endpoint-password-99',
  header: 'header-token-of-the-endpoint',
  payload: 'payload-of-a-customer',
  pin: 'pin-4711',
};
const bearer = { authorization: `Bearer ${secrets.apiKey}` };

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly job?: string;
  readonly attempt?: number;
  readonly traceId?: string;
  readonly [field: string]: unknown;
}

const linesOf = (process: Sluice): readonly Line[] =>
  process.stderr.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
/** By attempt: the next one may begin before the settle of the last, which waits for the broker, is told. */
const saidOf = (process: Sluice, id: string): readonly string[] =>
  linesOf(process)
    .filter(({ job }) => job === id)
    .toSorted((a, b) => (a.attempt ?? 1) - (b.attempt ?? 1))
    .map(({ level, msg }) => `${level} ${msg}`);

describe('the log', function () {
  this.timeout(120_000);
  let stage: Stage;
  let sink: Sink;
  beforeEach(async () => {
    sink = await startSink(({ path }) => ({ status: path === '/busy' ? 503 : 204 }));
    stage = await openStage({
      env: {
        HANDLERS,
        API_KEYS: `shop:submit+read+operate:${createHash('sha256').update(secrets.apiKey).digest('hex')}`,
        HTTP_PUSH_SECRET: secrets.push,
        SMTP_URL: `smtp://mailer:${secrets.smtpEncoded}@127.0.0.1:1`,
        SMTP_FROM: 'jobs@example.com',
        RETRY_BASE_MS: '1',
        RETRY_MAX_MS: '1',
        SHUTDOWN_GRACE_MS: '0',
      },
    });
  });
  afterEach(async () => {
    await stage.close();
    await sink.close();
  });

  const submit = async (job: object): Promise<string> =>
    (await stage.call('POST', '/v1/jobs', job, { ...bearer, ...headers })).body.id;
  const ended = async (id: string): Promise<string> =>
    (await stage.call('GET', `/v1/jobs/${id}?wait=30`, undefined, bearer)).body.state;
  const push = (path: string): object => ({
    type: 'http.push',
    maxAttempts: 2,
    payload: {
      url: sink.url.replace('//', `//user:${secrets.endpoint}@`) + path,
      headers: { authorization: `Bearer ${secrets.header}` },
      body: secrets.payload,
    },
  });

  it('shows the whole life of a job at debug, by its id, in each process, and at no level a secret or a payload', async () => {
    const debug = { LOG_LEVEL: 'debug' };
    const server = await stage.serving(debug);
    const recorder = await stage.record(debug);
    const worker = await stage.work(debug);

    const good = await submit(push('/'));
    const bad = await submit(push('/busy'));
    const leaking = await submit({ type: 'test.leak', payload: { secrets } });
    const mail = await submit({
      type: 'email.send',
      maxAttempts: 1,
      payload: { to: 'ada@example.com', subject: secrets.payload, text: secrets.payload },
    });
    const undecodable = v7();
    await publishRaw(undecodable, `[${secrets.pin}]`);
    expect(await Promise.all([good, bad, leaking, mail].map(ended))).to.deep.equal([
      'succeeded',
      'dead',
      'dead',
      'dead',
    ]);
    await eventually(async () => (await ended(undecodable)) === 'dead');
    const held = await submit({ type: 'test.hold', payload: secrets.payload });
    await worker.waitForLine(new RegExp(`"job":"${held}".*was started`));
    worker.kill();
    await worker.exited;
    await stage.call('POST', `/v1/jobs/${held}/cancel`, undefined, bearer);
    await stage.call('GET', '/v1/jobs', undefined, { authorization: `Bearer wrong-${secrets.apiKey}` });

    expect(saidOf(server, good)).to.deep.equal(['debug the job was accepted']);
    expect(saidOf(worker, good)).to.deep.equal([
      'debug the job was delivered',
      'debug the job was started',
      'debug the job was settled',
    ]);
    expect(saidOf(recorder, good)).to.include('debug an event was recorded');
    expect(saidOf(worker, bad)).to.deep.equal([
      'debug the job was delivered',
      'debug the job was started',
      'info the job failed and is tried again',
      'debug the job was settled',
      'debug the job was delivered',
      'debug the job was started',
      'warn the job goes to the dead letters',
      'debug the job was settled',
    ]);
    expect(saidOf(worker, undecodable)).to.include('warn the job goes to the dead letters');
    expect(saidOf(worker, held)).to.include('debug the job was returned to its queue');
    expect(saidOf(server, held)).to.include('info an operator has cancelled a job');
    const traced = [...linesOf(server), ...linesOf(worker)].filter((line) => line.traceId === traceId);
    expect(new Set(traced.map(({ job }) => job))).to.deep.equal(new Set([good, bad, leaking, mail, held]));

    const all = [server, worker, recorder].flatMap(({ stdout, stderr }) => [...stdout, ...stderr]).join('\n');
    expect(all).to.include('signing with ***').and.include('cannot reach smtp://***@127.0.0.1:1');
    for (const [name, secret] of Object.entries(secrets)) expect(all, name).not.to.include(secret);
    expect(all).not.to.include('abcdefghijkl');
    // What people with the scope `read` see of the same failure.
    const { error, attempts } = (await stage.call('GET', `/v1/jobs/${leaking}`, undefined, bearer)).body;
    const groups = (await stage.call('GET', '/v1/dead-letters', undefined, bearer)).body;
    const seen = JSON.stringify({ error, attempts, groups });
    expect(seen).to.include('cannot reach smtp://***@127.0.0.1:1');
    for (const name of ['push', 'smtp', 'smtpEncoded', 'apiKey'] as const)
      expect(seen, name).not.to.include(secrets[name]);
  });

  it('has no line of a job that goes well at info, and one for each failure', async () => {
    const server = await stage.serving();
    const recorder = await stage.record();
    const worker = await stage.work();
    const good = await submit(push('/'));
    const bad = await submit(push('/busy'));
    expect(await Promise.all([good, bad].map(ended))).to.deep.equal(['succeeded', 'dead']);
    for (const process of [server, worker, recorder]) expect(saidOf(process, good)).to.deep.equal([]);
    expect(saidOf(worker, bad)).to.deep.equal([
      'info the job failed and is tried again',
      'warn the job goes to the dead letters',
    ]);
  });

  it('tells no password of a database or a broker that cannot be reached', async () => {
    const unreachable = startSluice(['work'], {
      LOG_LEVEL: 'debug',
      AMQP_URL: 'amqp://app:broker-password-1@127.0.0.1:1',
      DATABASE_URL: `postgres://app:${secrets.database}@127.0.0.1:1/jobs`,
      DATA_DIR: stage.dataDir,
      WORKER_PORT: '0',
    });
    await unreachable.waitForLine(/the database cannot be used/);
    await unreachable.waitForLine(/no connection to the broker/);
    unreachable.kill('SIGKILL');
    await unreachable.exited;
    const all = [...unreachable.stdout, ...unreachable.stderr].join('\n');
    expect(all).not.to.include(secrets.database).and.not.include('broker-password-1');
  });

  async function publishRaw(messageId: string, body: string): Promise<void> {
    const connection = await amqp.connect((await sharedNode()).url);
    const channel = await connection.createConfirmChannel();
    channel.publish(`${stage.prefix}.jobs`, 'default.normal', Buffer.from(body), {
      messageId,
      type: 'echo',
      persistent: true,
      contentType: 'application/json',
    });
    await channel.waitForConfirms();
    await connection.close();
  }
});
