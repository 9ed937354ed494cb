import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { request } from 'undici';
import { cleanPrefix, randomPrefix } from '../support/prefix.js';
import { sharedNode } from '../support/rabbitmq.js';
import { type Sink, startSink } from '../support/sink.js';
import { type Sluice, startProcess, startSluice } from '../support/sluice.js';

const HANDLERS = fileURLToPath(new URL('fixtures/handlers.mjs', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
const running = /http:\/\/127\.0\.0\.1:\d+/;

describe('sluice start without a broker', function () {
  this.timeout(120_000);
  let folder: string;
  let dataDir: string;
  let processes: Sluice[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-start-'));
    dataDir = join(folder, 'data');
    processes = [];
  });
  afterEach(async () => {
    for (const process of processes) process.kill('SIGKILL');
    await Promise.all(processes.map(({ exited }) => exited));
    rmSync(folder, { recursive: true, force: true });
  });

  function launch(env: Readonly<Record<string, string>> = {}): Sluice {
    const common = { DATA_DIR: dataDir, PORT: '0', HTTP_PUSH_ALLOW_PRIVATE: 'true' };
    const process = startSluice(['start'], { ...common, ...env }, { cwd: folder });
    processes.push(process);
    return process;
  }

  async function start(env?: Readonly<Record<string, string>>): Promise<{ process: Sluice; url: string }> {
    const process = launch(env);
    const line = await process.waitForLine(running);
    return { process, url: line.match(running)?.[0] ?? '' };
  }

  async function submitAll(url: string, jobs: readonly object[]): Promise<string[]> {
    const { statusCode, body } = await request(`${url}/v1/jobs/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(jobs),
    });
    expect(statusCode).to.equal(202);
    return ((await body.json()) as { ids: string[] }).ids;
  }

  async function metric(url: string, name: string): Promise<number> {
    const { body } = await request(`${url}/metrics`);
    const line = (await body.text()).split('\n').find((one) => one.startsWith(`${name} `));
    return Number(line?.slice(name.length));
  }

  async function withSink(use: (sink: Sink) => Promise<void>): Promise<void> {
    const sink = await startSink(() => ({ status: 204 }));
    try {
      await use(sink);
    } finally {
      await sink.close();
    }
  }

  it('takes a job, works on it, and says where it listens and where the jobs lie', async () => {
    await withSink(async (sink) => {
      const { process, url } = await start({ DATA_DIR: '' });
      await process.waitForLine(/curl -i http/);
      await process.waitForLine(new RegExp(join(folder, 'data', 'sluice.db')));
      const { statusCode, body } = await request(`${url}/v1/jobs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ type: 'http.push', payload: { url: sink.url } }),
      });
      expect(statusCode).to.equal(202);
      expect(await body.json()).to.have.property('durability', 'disk');
      await sink.untilDistinct(1);
      expect((await request(`${url}/readyz`)).statusCode).to.equal(200);
      process.kill('SIGTERM');
      expect(await process.exited).to.deep.equal({ code: 0, signal: null });
    });
  });

  it('loses no job it has accepted, though it is killed again and again', async () => {
    await withSink(async (sink) => {
      const ids: string[] = [];
      for (let life = 1; life <= 4; life++) {
        const { process, url } = await start();
        const jobs = Array.from({ length: 250 }, () => ({ type: 'http.push', payload: { url: sink.url } }));
        ids.push(...(await submitAll(url, jobs)));
        await sink.untilDistinct(life * 60);
        process.kill('SIGKILL');
        await process.exited;
      }
      const { url } = await start();
      await sink.untilDistinct(ids.length);
      expect(new Set(sink.counts.keys())).to.deep.equal(new Set(ids));
      expect(await metric(url, 'sluice_dead_letters')).to.equal(0);
    });
  });

  it('ends a job that kills its process, and none of the hundred beside it', async () => {
    await withSink(async (sink) => {
      const first = await start({ HANDLERS });
      const push = { type: 'http.push', payload: { url: sink.url } };
      const jobs: object[] = Array.from({ length: 100 }, () => push);
      const when = join(folder, 'answered');
      jobs.splice(50, 0, { type: 'test.kill', payload: { when } });
      const ids = await submitAll(first.url, jobs);
      writeFileSync(when, '');
      let { process } = first;
      let deaths = 0;
      for (let isOver = false; !isOver; ) {
        const exited = process.exited.then(() => false);
        // The eighth death is the last: three in its lane, five as a suspect.
        isOver =
          deaths === 8
            ? await Promise.race([exited, sink.untilDistinct(100).then(() => true)])
            : await exited;
        if (isOver) break;
        deaths += 1;
        process = launch({ HANDLERS });
      }
      expect(deaths).to.equal(8);
      const url = (await process.waitForLine(running)).match(running)?.[0] ?? '';
      expect(await metric(url, 'sluice_dead_letters')).to.equal(1);
      expect(process.stderr.join('\n')).to.include(ids[50]);
      expect([...sink.counts.keys()].toSorted()).to.deep.equal(ids.filter((_, i) => i !== 50).toSorted());
    });
  });

  it('is refused while another process has its folder, with the way out', async () => {
    await start();
    const second = launch();
    expect((await second.exited).code).to.equal(1);
    const said = second.stderr.join('\n');
    expect(said).to.include(dataDir).and.include('AMQP_URL').and.include('DATA_DIR');
    expect(said.split('\n').filter((line) => line.startsWith('sluice:'))).to.have.length(1);
  });

  it('is refused with a file that is none of its own, and leaves it alone', async () => {
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, 'sluice.db'), 'my notes'.repeat(1_000));
    const process = launch();
    expect((await process.exited).code).to.equal(1);
    expect(process.stderr.join('\n')).to.match(/sluice\.db is damaged, or is no SQLite file/);
  });

  it('says that jobs wait in its folder when it is started on RabbitMQ instead', async () => {
    const { process, url } = await start();
    const jobs = [1, 2, 3].map(() => ({ type: 'echo', payload: {}, delayMs: 3_600_000 }));
    await submitAll(url, jobs);
    process.kill('SIGTERM');
    await process.exited;
    const node = await sharedNode();
    const prefix = randomPrefix();
    const other = launch({ AMQP_URL: node.url, AMQP_PREFIX: prefix });
    const line = JSON.parse(await other.waitForLine(/sluice move/));
    expect(line).to.include({ level: 'warn', jobs: 3, dataDir });
    other.kill('SIGKILL');
    await other.exited;
    await cleanPrefix(node.url, prefix);
  });

  for (const [what, hasPackage] of [
    ['is not installed', false],
    ['was not built', true],
  ] as const) {
    it(`says what to install when better-sqlite3 ${what}`, async () => {
      const copy = join(folder, 'copy');
      cpSync(join(root, 'dist'), join(copy, 'dist'), { recursive: true });
      cpSync(join(root, 'package.json'), join(copy, 'package.json'));
      mkdirSync(join(copy, 'node_modules'));
      const packages = readdirSync(join(root, 'node_modules')).filter((name) => name !== 'better-sqlite3');
      for (const name of packages)
        symlinkSync(join(root, 'node_modules', name), join(copy, 'node_modules', name));
      if (hasPackage) {
        const parts = ['package.json', 'lib'];
        for (const part of parts)
          cpSync(
            join(root, 'node_modules/better-sqlite3', part),
            join(copy, 'node_modules/better-sqlite3', part),
            { recursive: true },
          );
      }
      const process = startProcess([join(copy, 'dist/src/cli/main.js'), 'start'], {
        DATA_DIR: dataDir,
        PORT: '0',
      });
      processes.push(process);
      expect((await process.exited).code).to.equal(1);
      expect(process.stderr.join('\n'))
        .to.include('python3, make and g++')
        .and.include('npm rebuild better-sqlite3')
        .and.include('AMQP_URL');
    });
  }
});
