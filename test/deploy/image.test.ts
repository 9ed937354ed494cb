/** The image, as far as it can be built without a container engine: its steps in an empty folder, its command as its user. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { validate } from 'dockerfile-utils';
import { request } from 'undici';
import { freePort } from '../support/free-port.js';
import { startCollector } from '../support/otlp.js';
import { freshDatabase } from '../support/postgres.js';
import { cleanPrefix, randomPrefix } from '../support/prefix.js';
import { sharedNode } from '../support/rabbitmq.js';
import { type Sluice, startProcess } from '../support/sluice.js';
import { textOf, top } from './support/deployed.js';
import {
  argument,
  dockerfile,
  imageEnvironment,
  lastStep,
  readStages,
  type Step,
} from './support/dockerfile.js';
import { buildImage } from './support/image.js';
import { dockerfileWith } from './support/readme.js';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;

/** `.dockerignore` shuts everything out but these, so there are no patterns to interpret. */
function allowedPaths(): string[] {
  const lines = textOf('.dockerignore').split('\n');
  const [everything, ...allowed] = lines.filter((line) => line !== '' && !line.startsWith('#'));
  expect(everything).to.equal('*');
  return allowed.map((line) => {
    expect(line).to.match(/^![A-Za-z.][A-Za-z.-]*$/);
    return line.slice(1);
  });
}

interface Locked {
  readonly dev?: boolean;
  readonly optional?: boolean;
}

const lock: { packages: Record<string, Locked> } = JSON.parse(textOf('package-lock.json'));

describe('the Dockerfile', () => {
  it('has no fault that a validator finds', () => {
    expect(validate(dockerfile)).to.deep.equal([]);
    expect(validate(dockerfile.replace('EXPOSE 8080', 'EXPOSE web')), 'the validator').to.have.length(1);
  });

  it('copies only what .dockerignore lets in, and all of that', () => {
    const copied = readStages().flatMap(({ steps }) =>
      steps
        .filter(({ keyword, flags }) => keyword === 'COPY' && flags['from'] === undefined)
        .flatMap(({ words }) => words.slice(0, -1)),
    );
    expect([...new Set(copied)]).to.have.members(allowedPaths());
    for (const path of allowedPaths()) expect(existsSync(join(top, path)), path).to.equal(true);
  });

  it('takes a Node that the package admits, of the version that the tests run on', () => {
    expect(argument('NODE_VERSION').split('.')[0]).to.equal(process.versions.node.split('.')[0]);
    const images = readStages().map(({ image }) => image);
    // One Debian release: a native module that is built on a newer one does not load.
    expect(images.map((image) => image.replace(/-slim$/, ''))).to.deep.equal(
      images.map(() => ['node:$', '{NODE_VERSION}-bookworm'].join('')),
    );
  });

  it('names its user by number, as Kubernetes needs it, and not root', () => {
    expect(lastStep('USER').text).to.match(/^[1-9]\d*:[1-9]\d*$/);
  });

  it('runs the program as `npm start` does', () => {
    const { bin, scripts } = JSON.parse(textOf('package.json')) as {
      readonly bin: { readonly sluice: string };
      readonly scripts: { readonly start: string };
    };
    const [, node, flag, program] = scripts.start.split(' ');
    expect(program).to.equal(bin.sluice);
    expect(lastStep('ENTRYPOINT').exec).to.deep.equal([node, flag, `/app/${program}`]);
    expect(lastStep('CMD').exec).to.deep.equal(['start']);
    expect(lastStep('EXPOSE').text).to.equal(imageEnvironment()['PORT']);
    expect(imageEnvironment()['WORKER_PORT']).to.equal(imageEnvironment()['PORT']);
    expect(lastStep('VOLUME').text).to.equal(imageEnvironment()['DATA_DIR']);
  });
});

describe('the image, its steps carried out in an empty folder', function () {
  this.timeout(240_000);
  const key = 'a-key-of-this-test';
  let folder: string;
  let root: string;
  let running: Sluice | undefined;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-image-'));
    await chmod(folder, 0o755); // the image's user has to get at its files
    const { PATH = '', HOME = '' } = process.env;
    root = await buildImage({
      stages: readStages(),
      context: top,
      allowed: allowedPaths(),
      folder,
      env: { PATH, HOME, npm_config_better_sqlite3_local_prebuilds: await packBinary(folder) },
    });
  });
  afterEach(async () => {
    running?.kill('SIGKILL');
    await running?.exited;
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** The absolute paths of the image, where they are here. */
  const here = (words: readonly string[]): string[] =>
    words.map((word) => (word.startsWith('/') && existsSync(join(root, word)) ? join(root, word) : word));

  /** Runs the image as its user, with its environment, its entry point and its command. */
  function start(
    env: Readonly<Record<string, string>>,
    command = lastStep('CMD').exec,
    entryPoint = lastStep('ENTRYPOINT').exec,
  ): Sluice {
    const [node, ...argv] = [...entryPoint, ...command];
    expect(node).to.equal('node');
    const image = imageEnvironment();
    const [uid, gid] = lastStep('USER').text.split(':').map(Number);
    return startProcess(
      here(argv),
      { ...image, DATA_DIR: join(root, String(image['DATA_DIR'])), HOME: '/', ...env },
      {
        cwd: join(root, 'app'),
        ...(isRoot && uid !== undefined && gid !== undefined ? { user: { uid, gid } } : {}),
      },
    );
  }

  async function healthCheck(port: number): Promise<number> {
    const { exec } = lastStep('HEALTHCHECK');
    expect(exec[0]).to.equal('node');
    const check = startProcess(exec.slice(1), { ...imageEnvironment(), PORT: String(port) });
    return (await check.exited).code ?? -1;
  }

  it('holds the program and its production dependencies, and nothing else', () => {
    expect(readdirSync(join(root, 'app')).sort()).to.deep.equal([
      'LICENSE',
      'dist',
      'node_modules',
      'package.json',
    ]);
    const locked = Object.entries(lock.packages).filter(([path]) => path !== '');
    const isThere = ([path]: [string, Locked]): boolean => existsSync(join(root, 'app', path));
    expect(locked.filter(([, { dev }]) => dev === true).filter(isThere)).to.deep.equal([]);
    const needed = locked.filter(([, { dev, optional }]) => dev !== true && optional !== true);
    expect(needed.length).to.be.greaterThan(50);
    expect(needed.filter((one) => !isThere(one))).to.deep.equal([]);
  });

  it('asks for keys, since it listens beyond its container', async () => {
    running = start({});
    expect((await running.exited).code).to.equal(2);
    expect(running.stderr.join('\n')).to.include('expected API_KEYS');
  });

  it('serves, works and records beside RabbitMQ and PostgreSQL', async () => {
    const { url } = await sharedNode();
    const prefix = randomPrefix();
    const place = { AMQP_URL: url, AMQP_PREFIX: prefix, DATABASE_URL: await freshDatabase() };
    const started: Sluice[] = [];
    try {
      for (const role of ['serve', 'work', 'record']) {
        const port = String(await freePort());
        const ports = { PORT: port, WORKER_PORT: port };
        const service = start({ ...place, ...ports, API_KEYS: `test:submit+read:${hashOf(key)}` }, [role]);
        started.push(service);
        await service.waitForLine(new RegExp(`^(Listening|Working|Recording) .*:${port}`));
        expect((await request(`http://127.0.0.1:${port}/readyz`)).statusCode, role).to.equal(200);
        expect(await healthCheck(Number(port)), role).to.equal(0);
      }
    } finally {
      for (const service of started) service.kill();
      expect(await Promise.all(started.map(({ exited }) => exited))).to.deep.equal(
        started.map(() => ({ code: 0, signal: null })),
      );
      await cleanPrefix(url, prefix);
    }
  });

  it('is ready, healthy, and does a job of its own handlers as a user without rights', async () => {
    const port = await freePort();
    await writeFile(
      join(root, 'app', 'handlers.js'),
      "import { defineHandler } from 'sluice/handler';\n" +
        "export default defineHandler({ type: 'greet', payload: {}, run: async () => 'hello' });\n",
    );
    expect(await healthCheck(port), 'before the start').to.equal(1);
    running = start({
      // The image's own port may be taken on this machine.
      PORT: String(port),
      API_KEYS: `test:submit+read:${hashOf(key)}`,
      HANDLERS: './handlers.js',
    });
    await running.waitForLine(/^Listening on http:\/\/0\.0\.0\.0:/);

    const url = `http://127.0.0.1:${port}`;
    expect((await request(`${url}/readyz`)).statusCode).to.equal(200);
    expect(await healthCheck(port)).to.equal(0);
    const accepted = await request(`${url}/v1/jobs`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: '{"type":"greet","payload":{}}',
    });
    expect(accepted.statusCode).to.equal(202);
    const { id } = (await accepted.body.json()) as { id: string };
    const job = await request(`${url}/v1/jobs/${id}?wait=30`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(await job.body.json()).to.include({ state: 'succeeded', result: 'hello' });

    if (isRoot) {
      const { stdout: user } = await run('ps', ['-o', 'uid=', '-p', String(running.pid)]);
      expect(`${user.trim()}:${(await stat(join(root, 'data/sluice.db'))).gid}`).to.equal(
        lastStep('USER').text,
      );
    }
    running.kill('SIGTERM');
    expect(await running.exited).to.deep.equal({ code: 0, signal: null });
    expect(await healthCheck(port), 'after the stop').to.equal(1);
  });

  it('sends traces, once the SDK is put in as the README says', async () => {
    const [image] = readStages(dockerfileWith('@opentelemetry/'));
    const step = (keyword: string): Step | undefined =>
      image?.steps.findLast((one) => one.keyword === keyword);
    expect(image?.image).to.equal('sluice');
    expect(step('USER')?.text).to.equal(lastStep('USER').text);
    const { PATH = '', HOME = '' } = process.env;
    const env = { PATH, HOME, ...imageEnvironment() };
    await run('/bin/sh', ['-c', step('RUN')?.text ?? 'false'], { cwd: join(root, 'app'), env });
    const collector = await startCollector();
    try {
      const port = String(await freePort());
      const tracing = { PORT: port, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
      running = start(
        { ...tracing, API_KEYS: `test:submit+read:${hashOf(key)}` },
        lastStep('CMD').exec,
        step('ENTRYPOINT')?.exec,
      );
      await running.waitForLine(/^Listening on /);
      const { statusCode } = await request(`http://127.0.0.1:${port}/v1/jobs`);
      expect(statusCode).to.equal(401);
      running.kill('SIGTERM');
      expect((await running.exited).code).to.equal(0);
      expect(collector.spans.map(({ name }) => name)).to.include('GET /v1/jobs');
    } finally {
      await collector.close();
    }
  });
});

const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex');

/**
 * The native module as this clone's `npm ci` has built it, in the form in which its installer downloads it elsewhere: to compile it again
 * takes a minute and a half. Where it does not fit, it is downloaded or compiled after all.
 * @returns the folder that holds it
 */
async function packBinary(folder: string): Promise<string> {
  const own = join(top, 'node_modules/better-sqlite3');
  const { version } = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8')) as { version: string };
  const { platform, arch, versions } = process;
  const name = `better-sqlite3-v${version}-node-v${versions.modules}-${platform}-${arch}.tar.gz`;
  await run('tar', ['-czf', join(folder, name), '-C', own, 'build/Release/better_sqlite3.node']);
  return folder;
}
