/** `sluice dead`, `queues`, `pause` and `resume` against a server that answers as the test says. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { type FakeServer, fakeServer, type Reply, type Seen, sluice } from './run.js';

const main = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const id = '01980000-0000-7000-8000-000000000001';
const view = {
  id,
  kind: 'replay',
  state: 'done',
  reason: null,
  filter: {},
  ratePerSecond: 10,
  matched: 5,
  done: 4,
  skipped: 1,
  failedAgain: 2,
};

describe('the commands for dead letters and queues', () => {
  const servers: FakeServer[] = [];
  const serverThat = async (reply: (request: Seen, index: number) => Reply): Promise<FakeServer> => {
    const server = await fakeServer(reply);
    servers.push(server);
    return server;
  };
  /** Accepts every order, and shows these views one after the other. */
  const serverOf = (...views: object[]): Promise<FakeServer> => {
    let shown = 0;
    return serverThat(({ method }) =>
      method === 'POST'
        ? { status: 202, body: { id, matched: 5 } }
        : { status: 200, body: views[Math.min(shown++, views.length - 1)] },
    );
  };
  afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

  it('dead lists groups and jobs, and passes on its filters', async () => {
    const example = { id, type: 'echo', queue: 'default', name: 'Error', message: 'no \u001b[31m luck' };
    const group = { group: 'abc', count: 3, firstAt: 'f', lastAt: 'l', example };
    const item = {
      id,
      type: 'echo',
      queue: 'default',
      run: 1,
      attempt: 2,
      errorGroup: 'abc',
      error: example,
    };
    const body = { total: 3, groups: [group], items: [item], next: 'c1' };
    const server = await serverThat(() => ({ status: 200, body }));
    const args = ['--group', 'abc', '--type', 'echo', '--queue', 'default', '--limit', '1', '--cursor', 'c0'];
    const listed = await sluice(['dead', ...args, '--url', server.url]);
    expect(listed.stderr).to.equal('sluice: 3 in all; more with --cursor c1\n');
    const lines = listed.stdout.split('\n');
    expect(lines[1]).to.match(/^abc {4}3 {5}f {6}l {5}echo {2}Error: no {1,2}\[31m luck$/);
    expect(lines[4]).to.match(new RegExp(`^${id} +echo +default +1\\.2 +abc +no`));
    const json = await sluice(['dead', 'list', '--json', '--url', server.url]);
    expect(JSON.parse(json.stdout)).to.deep.equal(body);
    expect(server.seen.map(({ url }) => url)).to.deep.equal([
      '/v1/dead-letters?group=abc&type=echo&queue=default&limit=1&cursor=c0',
      '/v1/dead-letters?limit=20',
    ]);
    const none = await serverThat(() => ({
      status: 200,
      body: { total: 0, groups: [], items: [], next: null },
    }));
    expect((await sluice(['dead', '--url', none.url])).stdout).to.equal('nothing is dead\n');
  });

  it('dead replay orders it, watches it to its end, and tells what became of it', async () => {
    const server = await serverOf({ ...view, state: 'running' }, view);
    const filters = ['--group', 'abc', '--before', '2026-01-01T00:00:00Z'];
    const done = await sluice(['dead', 'replay', ...filters, '--rate', '0.5', '--url', server.url]);
    expect(done).to.deep.equal({
      code: 0,
      stdout: 'replayed 4 of 5, passed over 1, dead again 2\n',
      stderr: '',
    });
    const filter = { group: 'abc', before: '2026-01-01T00:00:00Z' };
    expect(JSON.parse(server.seen[0]?.body ?? '')).to.deep.equal({ filter, ratePerSecond: 0.5 });
    expect(server.seen.map(({ method, url }) => `${method} ${url}`)).to.deep.equal([
      'POST /v1/dead-letters/replay',
      `GET /v1/dead-letters/replays/${id}`,
      `GET /v1/dead-letters/replays/${id}`,
    ]);
  });

  it('dead replay exits with 1 when it was halted', async () => {
    const halted = { ...view, state: 'halted', reason: '6 of the first 12 runs that ended died again' };
    const server = await serverOf(halted);
    const ended = await sluice(['dead', 'replay', '--all', '--json', '--url', server.url]);
    expect([ended.code, ended.stderr]).to.deep.equal([1, `sluice: halted: ${halted.reason}\n`]);
    expect(JSON.parse(ended.stdout)).to.deep.equal(halted);
  });

  it('dead discard counts only, or does not wait, when told so', async () => {
    const server = await serverThat(({ body }) => {
      return { status: 202, body: { id: body.includes('dryRun') ? null : id, matched: 5 } };
    });
    const dry = await sluice(['dead', 'discard', '--type', 'echo', '--dry-run', '--url', server.url]);
    const quick = await sluice(['dead', 'discard', '--queue', 'mail', '--no-wait', '--url', server.url]);
    expect([dry.stdout, quick.stdout]).to.deep.equal(['5 would be discarded\n', `${id} 5 to discard\n`]);
    expect(server.seen.map(({ url, body }) => [url, JSON.parse(body)])).to.deep.equal([
      ['/v1/dead-letters/discard', { filter: { type: 'echo' }, dryRun: true }],
      ['/v1/dead-letters/discard', { filter: { queue: 'mail' } }],
    ]);
  });

  it('Ctrl-C ends the watching, not the replay, and says how to stop that', async () => {
    let watched = (): void => {};
    const watching = new Promise<void>((resolve) => {
      watched = resolve;
    });
    const server = await serverThat(({ method }) => {
      if (method === 'GET') watched();
      return method === 'POST'
        ? { status: 202, body: { id, matched: 5 } }
        : { status: 200, body: { ...view, state: 'running' } };
    });
    const args = [main, 'dead', 'replay', '--all', '--url', server.url];
    const child = spawn(process.execPath, args, { env: { PATH: process.env['PATH'] } });
    let said = '';
    child.stderr.on('data', (chunk) => {
      said += String(chunk);
    });
    await watching;
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    expect(code).to.equal(130);
    expect(said).to.equal(`sluice: the replay goes on; to stop it: sluice dead stop ${id}\n`);
    expect(server.seen.filter(({ method }) => method === 'POST')).to.have.length(1);
  });

  it('dead stop and dead replays', async () => {
    const server = await serverThat(({ method }) =>
      method === 'POST' ? { status: 202, body: view } : { status: 200, body: { replays: [view] } },
    );
    const stopped = await sluice(['dead', 'stop', id, '--url', server.url]);
    expect(stopped.stdout).to.equal('stopped: replayed 4 of 5, passed over 1, dead again 2\n');
    expect(server.seen[0]?.url).to.equal(`/v1/dead-letters/replays/${id}/stop`);
    const listed = await sluice(['dead', 'replays', '--url', server.url]);
    expect(listed.stdout).to.match(new RegExp(`^${id} +replay +done +5 +4 +1 +2$`, 'm'));
  });

  it('queues shows how they stand; pause and resume order it', async () => {
    const queue = {
      name: 'mail',
      depth: { high: 1, normal: 2, low: 0, total: 3 },
      scheduled: 4,
      active: 5,
      dead: 6,
      oldestAgeMs: 65_000,
      acceptedPerSecond: 1.5,
      drainedPerSecond: 2,
      forecast: { state: 'draining', emptyInMs: 3_720_000, emptyAt: null },
    };
    const server = await serverThat(({ method, url }) =>
      method === 'GET'
        ? { status: 200, body: { queues: [queue] } }
        : { status: 202, body: { name: 'mail', isPaused: url.endsWith('/pause') } },
    );
    const table = await sluice(['queues', '--url', server.url]);
    expect(table.stdout.split('\n')[1]).to.match(/^mail +3 +4 +5 +6 +1 min 5 s +1\.5 +2 +in 1 h 2 min$/);
    const json = await sluice(['queues', '--json', '--url', server.url]);
    expect(JSON.parse(json.stdout)).to.deep.equal(queue);
    expect((await sluice(['pause', 'mail', '--url', server.url])).stdout).to.equal('mail paused\n');
    expect((await sluice(['resume', 'mail', '--url', server.url])).stdout).to.equal('mail running\n');
    expect(server.seen.slice(2).map(({ method, url }) => `${method} ${url}`)).to.deep.equal([
      'POST /v1/queues/mail/pause',
      'POST /v1/queues/mail/resume',
    ]);
  });

  it('refuse wrong usage before they ask', async () => {
    for (const args of [
      ['dead', 'replay'],
      ['dead', 'discard', '--dry-run'],
      ['dead', 'replay', '--all', '--rate', '0'],
      ['dead', 'discard', '--all', '--rate', '1'],
      ['dead', 'stop', '../x'],
      ['dead', 'bury'],
      ['pause', '../x'],
    ]) {
      const ended = await sluice([...args, '--url', 'http://127.0.0.1:1']);
      expect([ended.code, ended.stdout], args.join(' ')).to.deep.equal([2, '']);
    }
    const which = await sluice(['dead', 'replay']);
    expect(which.stderr).to.match(/^sluice: which ones\? Give --group.* or --all to replay all/);
  });
});
