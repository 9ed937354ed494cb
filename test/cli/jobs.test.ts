/** `sluice job`, `jobs` and `cancel` against a server that answers as the test says. */
import { expect } from 'chai';
import { type FakeServer, fakeServer, type Reply, type Seen, sluice } from './run.js';

const id = '01980000-0000-7000-8000-000000000001';
const job = {
  id,
  type: 'echo',
  queue: 'default',
  state: 'active',
  run: 1,
  attempt: 2,
  acceptedAt: '2026-01-02T03:04:05.006Z',
};

describe('the commands that read and cancel jobs', () => {
  const servers: FakeServer[] = [];
  const serverThat = async (reply: (request: Seen, index: number) => Reply): Promise<FakeServer> => {
    const server = await fakeServer(reply);
    servers.push(server);
    return server;
  };
  afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

  it('job shows a job with its failed attempts, and no control characters', async () => {
    const error = { name: 'Error', message: 'no \u001b[31m way' };
    const attempts = [{ run: 1, attempt: 1, outcome: 'retried', endedAt: job.acceptedAt, error }];
    const server = await serverThat(() => ({
      status: 200,
      body: { ...job, result: { a: 1 }, error, attempts },
    }));
    const [plain, json] = await Promise.all([
      sluice(['job', id, '--url', server.url, '--api-key', 'k1']),
      sluice(['job', id, '--url', server.url, '--json']),
    ]);
    expect([plain.code, plain.stderr]).to.deep.equal([0, '']);
    expect(plain.stdout)
      .to.match(/^state +active$/m)
      .and.match(/^result +\{"a":1\}$/m);
    expect(plain.stdout).to.match(/^failed attempt +1\.1 retried 2026-\S+ Error: no {1,2}\[31m way$/m);
    expect(JSON.parse(json.stdout)).to.deep.include({ id, attempts });
    expect(server.seen.map(({ method, url }) => `${method} ${url}`)).to.deep.equal(
      Array.from({ length: 2 }, () => `GET /v1/jobs/${id}`),
    );
    expect(server.seen.some(({ headers }) => headers.authorization === 'Bearer k1')).to.equal(true);
  });

  it('job prints what the server has written: large numbers are not rounded, with --json or without', async () => {
    const text = `{"id":"${id}","state":"dead","result":9007199254740993,"payload":{"n":[9007199254740995,1.10]}}`;
    const server = await serverThat(() => ({ status: 200, body: text }));
    const { stdout } = await sluice(['job', id, '--url', server.url]);
    expect(stdout.split('\n').slice(2)).to.deep.equal([
      'result   9007199254740993',
      'payload  {"n":[9007199254740995,1.10]}',
      '',
    ]);
    expect((await sluice(['job', id, '--url', server.url, '--json'])).stdout).to.equal(`${text}\n`);
  });

  it('job --wait asks until the job has ended, and exits with how it did', async () => {
    const ends = await Promise.all(
      ['succeeded', 'dead'].map(async (state) => {
        const server = await serverThat((_request, index) => ({
          status: 200,
          body: { ...job, state: index < 2 ? 'retrying' : state },
        }));
        const { code, stdout, stderr } = await sluice(['job', id, '--wait', '--url', server.url]);
        expect(server.seen.map(({ url }) => url)).to.deep.equal(
          Array.from({ length: 3 }, () => `/v1/jobs/${id}?wait=30`),
        );
        expect(stdout).to.match(new RegExp(`^state +${state}$`, 'm'));
        return [code, stderr];
      }),
    );
    expect(ends).to.deep.equal([
      [0, ''],
      [1, 'sluice: the job is dead\n'],
    ]);
  });

  it('jobs prints a table, passes on its filters, and follows pages up to its limit', async () => {
    const server = await serverThat(({ url }) => {
      const limit = Number(new URL(url, 'http://x').searchParams.get('limit'));
      const jobs = Array.from({ length: limit }, () => ({ ...job, error: { message: 'no' } }));
      return { status: 200, body: { jobs, next: 'c 1' } };
    });
    const filters = ['--state', 'active', '--type', 'echo', '--queue', 'default'];
    const table = await sluice(['jobs', ...filters, '--limit', '250', '--url', server.url]);
    const [head, first, ...rest] = table.stdout.trimEnd().split('\n');
    expect(head).to.match(/^ID +STATE +TYPE +QUEUE +RUN +ACCEPTED +ERROR$/);
    expect(first).to.match(new RegExp(`^${id} +active +echo +default +1\\.2 +2026-\\S+ +no$`));
    expect(rest).to.have.length(249);
    expect(table.stderr).to.equal('sluice: there are more: --cursor c 1\n');
    const query = 'state=active&type=echo&queue=default';
    expect(server.seen.map(({ url }) => url)).to.deep.equal([
      `/v1/jobs?${query}&limit=200`,
      `/v1/jobs?${query}&limit=50&cursor=c+1`,
    ]);
    const lines = await sluice(['jobs', '--json', '--limit', '2', '--url', server.url]);
    expect(
      lines.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).id),
    ).to.deep.equal([id, id]);
  });

  it('cancel orders it, and tells a refusal', async () => {
    const server = await serverThat(() => ({ status: 202, body: { id, run: 1 } }));
    const done = await sluice(['cancel', id.toUpperCase(), '--url', server.url]);
    expect(done).to.deep.equal({ code: 0, stdout: `${id} cancel requested\n`, stderr: '' });
    expect(server.seen.map(({ method, url, body }) => [method, url, body])).to.deep.equal([
      ['POST', `/v1/jobs/${id}/cancel`, ''],
    ]);
    const problem = { code: 'conflict', detail: 'the job is dead already', state: 'dead' };
    const refusing = await serverThat(() => ({ status: 409, body: problem }));
    const refused = await sluice(['cancel', id, '--json', '--url', refusing.url]);
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.equal('sluice: 409 conflict: the job is dead already\n');
    expect(JSON.parse(refused.stdout)).to.deep.equal(problem);
  });

  it('refuse what is no id before they ask', async () => {
    for (const args of [
      ['job', '../jobs'],
      ['cancel', 'x'],
      ['jobs', '--state', 'died'],
      ['jobs', '--limit', '0'],
    ]) {
      const ended = await sluice([...args, '--url', 'http://127.0.0.1:1']);
      expect([ended.code, ended.stdout], args.join(' ')).to.deep.equal([2, '']);
    }
  });
});
