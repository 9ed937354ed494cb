/** `sluice submit`, and what all commands share: help, version, exit codes. */
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { type FakeServer, fakeServer, type Reply, type Seen, sluice } from './run.js';

const id = '01980000-0000-7000-8000-000000000001';
const accepted: Reply = { status: 202, body: { id, type: 'echo', queue: 'default', state: 'queued' } };

describe('the command line', () => {
  it('has help with an example for each command, and the version of the package', async () => {
    const clients = [
      'submit',
      'batch',
      'job',
      'jobs',
      'cancel',
      'queues',
      'pause',
      'resume',
      'top',
      'verify',
    ];
    const names = ['start', 'serve', 'work', 'record', 'move', ...clients];
    const [version, top, ...each] = await Promise.all([
      sluice(['--version']),
      sluice(['--help']),
      ...names.map((name) => sluice([name, '--help'])),
    ]);
    expect(version).to.deep.equal({
      code: 0,
      stderr: '',
      stdout: `${JSON.parse(readFileSync('package.json', 'utf8')).version}\n`,
    });
    expect(top?.code).to.equal(0);
    for (const [index, name] of names.entries()) {
      expect(top?.stdout).to.match(new RegExp(`^  ${name} `, 'm'));
      expect(each[index]?.code).to.equal(0);
      expect(each[index]?.stdout).to.match(new RegExp(`Examples?:\\n(.*\\n)*.*sluice ${name}`));
    }
  });

  it('refuses wrong usage with exit code 2 and a line that says why', async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [[], /^Usage: sluice/],
      [['nonsense'], /unknown command 'nonsense'/],
      [['submit'], /missing required argument 'type'/],
      [['submit', 'echo', '1', '--priority', 'urgent'], /high, normal, low/],
      [['submit', 'echo', '1', '--delay-ms', '1e3'], /--delay-ms: not a whole number/],
      [['submit', 'echo', '1', '--delay-ms', '1', '--run-at', '2030-01-01T00:00:00Z'], /cannot be used with/],
      [['submit', 'echo', '1', '--url', 'localhost:8080'], /--url: it must begin with http/],
      [['submit', 'echo', '{"a":tru}'], /not JSON: it breaks at line 1, column 6, near "tru}"/],
      [['submit', 'echo', '-'], /not JSON: it is empty/],
      [['batch', '/nowhere.ndjson'], /cannot read the file: ENOENT/],
      [['batch', '-', '--chunk', '0'], /--chunk: too small/],
    ];
    const ended = await Promise.all(cases.map(([args]) => sluice(args)));
    for (const [index, [args, message]] of cases.entries()) {
      expect(ended[index]?.stderr, args.join(' ')).to.match(message);
      expect(ended[index]?.code, args.join(' ')).to.equal(2);
      expect(ended[index]?.stdout).to.equal('');
    }
  });

  it('never repeats a key or password that it refuses', async () => {
    const ended = await Promise.all([
      sluice(['submit', 'echo', '1', '--api-key', 'hunter2 hunter2']),
      sluice(['submit', 'echo', '1', '--url', 'http://me:hunter2@here']),
      sluice(['submit', 'echo', '1'], { env: { SLUICE_API_KEY: 'hunter2\nhunter2' } }),
    ]);
    for (const { code, stderr } of ended) {
      expect(code).to.equal(2);
      expect(stderr)
        .to.match(/--api-key|--url|SLUICE_API_KEY/)
        .and.to.not.include('hunter2');
    }
  });
});

describe('sluice submit', () => {
  const servers: FakeServer[] = [];
  const serverThat = async (reply: (request: Seen, index: number) => Reply): Promise<FakeServer> => {
    const server = await fakeServer(reply);
    servers.push(server);
    return server;
  };
  afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

  it('takes a reader that has gone for no fault', async () => {
    const server = await serverThat(() => accepted);
    const ended = await sluice(['submit', 'echo', '1'], { env: { SLUICE_URL: server.url }, isUnread: true });
    expect(ended).to.deep.equal({ code: 0, stdout: '', stderr: '' });
    expect(server.seen).to.have.length(1);
  });

  it('says that its output could not be written, and fails', async function () {
    if (!existsSync('/dev/full')) this.skip();
    const into = openSync('/dev/full', 'w');
    try {
      const server = await serverThat(() => accepted);
      const ended = await sluice(['submit', 'echo', '1'], { env: { SLUICE_URL: server.url }, into });
      expect(ended.code).to.equal(1);
      expect(ended.stderr).to.match(/^sluice: the output could not be written: ENOSPC.*\n$/);
    } finally {
      closeSync(into);
    }
  });

  it('sends a job and prints its id and state', async () => {
    const server = await serverThat(() => accepted);
    const ended = await sluice(['submit', 'echo', '{"n":1}'], { env: { SLUICE_URL: server.url } });
    expect(ended).to.deep.equal({ code: 0, stderr: '', stdout: `${id} queued\n` });
    expect(server.seen).to.have.length(1);
    expect(server.seen[0]).to.include({
      method: 'POST',
      url: '/v1/jobs',
      body: '{"type":"echo","payload":{"n":1}}',
    });
    expect(server.seen[0]?.headers)
      .to.include({ 'content-type': 'application/json' })
      .and.to.not.have.property('authorization');
  });

  it('sends every field, the key, and the payload of stdin as it was written', async () => {
    const server = await serverThat(() => accepted);
    const fields = [
      '--queue',
      'mail',
      '--priority',
      'high',
      '--delay-ms',
      '5',
      '--expires-at',
      '2030-01-31T08:00:00Z',
    ];
    const limits = ['--max-attempts', '3', '--timeout-ms', '1000', '--url', `${server.url}/`, '--json'];
    const ended = await sluice(['submit', 'echo', ...fields, ...limits], {
      env: { SLUICE_API_KEY: 'a-key', SLUICE_URL: 'http://127.0.0.1:9' },
      stdin: ' {"big": 12345678901234567890, "ü": 1.0}\n',
    });
    expect(ended.code, ended.stderr).to.equal(0);
    expect(JSON.parse(ended.stdout)).to.deep.equal(accepted.body);
    const [seen] = server.seen;
    expect(seen?.headers.authorization).to.equal('Bearer a-key');
    expect(seen?.body).to.include('"payload": {"big": 12345678901234567890, "ü": 1.0}\n}');
    expect(JSON.parse(seen?.body ?? '')).to.include({
      queue: 'mail',
      priority: 'high',
      delayMs: 5,
      maxAttempts: 3,
      timeoutMs: 1000,
    });
    expect(JSON.parse(seen?.body ?? '')).to.include({ type: 'echo', expiresAt: '2030-01-31T08:00:00Z' });
  });

  it('tells a refusal in one line and fails', async () => {
    const detail = "there is no job type 'nope';\n known are \u001b[31mecho";
    const server = await serverThat(() => ({
      status: 422,
      body: { status: 422, code: 'unknown_job_type', detail },
    }));
    const ended = await sluice(['submit', 'nope', '1', '--json', '--url', server.url]);
    expect(ended.code).to.equal(1);
    expect(ended.stderr).to.equal(
      "sluice: 422 unknown_job_type: there is no job type 'nope';  known are  [31mecho\n",
    );
    expect(JSON.parse(ended.stdout)).to.include({ code: 'unknown_job_type' });
  });

  it('says so when nothing listens', async () => {
    const server = await serverThat(() => accepted);
    await server.close();
    const ended = await sluice(['submit', 'echo', '1', '--url', server.url]);
    expect(ended.stderr).to.match(
      /^sluice: cannot reach http:.*: connection refused; does `sluice start` run there\?/,
    );
    expect(ended.code).to.equal(1);
  });
});

describe('the services', () => {
  it('end with exit code 2 and every fault when settings are bad', async () => {
    for (const role of ['start', 'serve', 'work']) {
      const ended = await sluice([role], {
        env: { PORT: 'abc', AMPQ_URL: 'amqp://u:hunter2@rabbit', LOG_LEVEL: 'loud' },
      });
      expect(ended.code).to.equal(2);
      expect(ended.stderr).to.match(
        /^sluice: 3 settings are at fault:\n {2}PORT="abc": .*\n {2}LOG_LEVEL="loud": .*\n {2}AMPQ_URL: /,
      );
      expect(ended.stderr).to.not.include('hunter2');
      expect(ended.stdout).to.equal('');
    }
  });

  it('say what to do without AMQP_URL, where a role alone needs it', async () => {
    for (const role of ['serve', 'work']) {
      const ended = await sluice([role]);
      expect(ended.code).to.equal(2);
      expect(ended.stderr)
        .to.match(/AMQP_URL is not set/)
        .and.to.include('sluice start')
        .and.to.include(`sluice ${role}`)
        .and.to.include('apt-get install -y rabbitmq-server');
    }
  });
});
