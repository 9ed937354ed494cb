import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { loadHandlers } from '../../src/handler/load.js';
import { createRegistry } from '../../src/handler/registry.js';
import { createHttpPush } from '../../workers/http-push.js';
import { handlers as shippedHandlers } from '../../workers/index.js';
import { jobId, jobOf, rejection, run } from './running.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const readme = readFileSync(join(root, 'workers/README.md'), 'utf8');
const snippets = [...readme.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
  language,
  text,
}));
const commands = snippets
  .filter(({ language }) => language === 'sh')
  .flatMap(({ text }) => text.trim().split('\n'));

/** A user's folder: the README's files in it, and Sluice installed, from source. */
function setup() {
  const folder = mkdtempSync(join(tmpdir(), 'readme-'));
  const installed = join(folder, 'node_modules/sluice');
  mkdirSync(installed, { recursive: true });
  const define = join(root, 'src/handler/define.ts');
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(
    join(installed, 'package.json'),
    JSON.stringify({ name: 'sluice', type: 'module', exports: { './handler': './handler.ts' } }),
  );
  writeFileSync(join(installed, 'handler.ts'), `export * from ${JSON.stringify(define)};`);
  symlinkSync(join(root, 'node_modules/@types'), join(folder, 'node_modules/@types'));
  const files = snippets
    .filter(({ language }) => language !== 'sh')
    .map(({ text }) => {
      const name = /^\/\/ (\S+)\n/.exec(text)?.[1] ?? expect.fail(`a snippet without a file name:\n${text}`);
      writeFileSync(join(folder, name), text);
      return name;
    });
  const start = (args: readonly string[], env: Record<string, string> = {}): ChildProcess =>
    spawn(process.execPath, args, {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  return { folder, files, start, cleanUp: () => rmSync(folder, { recursive: true, force: true }) };
}

async function outputOf(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

describe('workers/README.md', () => {
  let at: ReturnType<typeof setup>;
  before(() => {
    at = setup();
  });
  after(() => at.cleanUp());

  it('has only snippets that are tested here', () => {
    expect(at.files).to.deep.equal([
      'my-handlers.js',
      'report-build.ts',
      'order-confirm.test.js',
      'receiver.js',
    ]);
    expect(commands).to.have.length(6);
  });

  it('shows handlers in JavaScript that load, and steer their jobs as it says', async () => {
    const visits: string[] = [];
    let status = 200;
    const shop = createServer((request, response) => {
      visits.push(`${request.method} ${request.url} ${request.headers['idempotency-key']}`);
      response.writeHead(status).end('{"confirmed":true}');
    }).listen(0, '127.0.0.1');
    await once(shop, 'listening');
    process.env['SHOP_URL'] = `http://127.0.0.1:${(shop.address() as AddressInfo).port}`;

    const [handler] = await loadHandlers('./my-handlers.js', at.folder);
    delete process.env['SHOP_URL'];
    if (handler === undefined) expect.fail('no handler');
    expect(await run(handler, { order: '7' })).to.deep.equal({ confirmed: true });
    expect(visits).to.deep.equal([`POST /orders/7/confirm ${jobId}`]);
    for (const [answered, name] of [
      [404, 'DeadLetter'],
      [429, 'RetryLater'],
      [500, 'Error'],
    ] as const) {
      status = answered;
      expect(await rejection(run(handler, { order: '7' }))).to.have.property('name', name);
    }
    shop.closeAllConnections();
    shop.close();

    const registry = createRegistry({ handlers: [handler] });
    expect(registry.get('order.confirm')).to.include({ queue: 'orders', maxAttempts: 8, timeoutMs: 10_000 });
    expect(registry.checkPayload('order.confirm', { order: 'x' })).to.contain('an order number');
  });

  it('shows a handler in TypeScript that compiles under strict rules, its payload typed', async () => {
    const options = [
      '--strict',
      '--noEmit',
      '--target',
      'es2023',
      '--module',
      'nodenext',
      '--types',
      'node',
      '--allowImportingTsExtensions',
    ];
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const misuse = readFileSync(join(at.folder, 'report-build.ts'), 'utf8').replace(
      'amounts.length',
      'amounts.longth',
    );
    writeFileSync(join(at.folder, 'misuse.ts'), misuse);
    const { output } = await outputOf(at.start([tsc, ...options, 'report-build.ts', 'misuse.ts']));
    const [fault, ...others] = output.trim().split(/\n(?=\S)/);
    expect(fault).to.match(/^misuse\.ts.*Property 'longth' does not exist on type 'number\[\]'/);
    expect(others).to.deep.equal([]);
  });

  it('shows a handler in TypeScript that does its work', async () => {
    process.env['REPORTS'] = at.folder;
    const [handler] = await loadHandlers('./report-build.ts', at.folder);
    if (handler === undefined) expect.fail('no handler');
    const seen: number[] = [];
    const context = {
      signal: new AbortController().signal,
      log: console,
      progress: (percent: number) => void seen.push(percent),
    };
    const result = await handler.run(
      jobOf('report.build', { month: '2025-08', amounts: [1, 2, 3, 4] } as never),
      context,
    );
    delete process.env['REPORTS'];
    const file = `${at.folder}/report-${jobId}.json`;
    expect(result).to.deep.equal({ file, sum: 10 });
    expect(JSON.parse(readFileSync(file, 'utf8'))).to.deep.equal({ month: '2025-08', sum: 10 });
    expect(seen).to.deep.equal([25, 50, 75, 100]);
    expect(await rejection(run(handler, { month: '2025-08', amounts: [] }))).to.have.property(
      'name',
      'DeadLetter',
    );
  });

  it('shows a test that passes', async () => {
    const tsx = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href;
    const { code, output } = await outputOf(
      at.start(['--import', tsx, '--test', '--test-reporter=tap', 'order-confirm.test.js']),
    );
    expect(output)
      .to.match(/^# pass 1$/m)
      .and.match(/^# fail 0$/m);
    expect(code).to.equal(0);
  });

  it('shows a receiver that takes what http.push signs, and nothing else', async () => {
    const secret = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;
    const receiver = at.start(['receiver.js'], { HTTP_PUSH_SECRET: secret, PORT: '0' });
    if (receiver.stdout === null) expect.fail('no stdout');
    const lines = createInterface(receiver.stdout)[Symbol.asyncIterator]();
    const port = /listening on (\d+)/.exec(String((await lines.next()).value))?.[1];
    const payload = { url: `http://127.0.0.1:${port}/jobs`, body: { order: '1001' } };

    const push = createHttpPush({ secret, allowPrivate: true, retryMaxMs: 1 });
    expect(await run(push, payload)).to.deep.equal({ status: 204 });
    expect((await lines.next()).value).to.equal(`${jobId} { order: '1001' }`);

    const stranger = createHttpPush({
      secret: Buffer.alloc(32, 4).toString('base64'),
      allowPrivate: true,
      retryMaxMs: 1,
    });
    expect((await rejection(run(stranger, payload))).message).to.contain('answered 401: bad signature');
    const unsigned = createHttpPush({ allowPrivate: true, retryMaxMs: 1 });
    expect((await rejection(run(unsigned, payload))).message).to.contain('answered 401: bad signature');
    receiver.kill();
    await once(receiver, 'close');
  });

  it('shows commands whose handlers load and whose payloads are accepted', async () => {
    const own = await loadHandlers(/HANDLERS=(\S+)/.exec(commands[0] ?? '')?.[1] ?? '', at.folder);
    const shipped = shippedHandlers({ httpPushAllowPrivate: false, retryMaxMs: 1, smtpFrom: 'a@b.test' });
    const registry = createRegistry({ handlers: [...shipped, ...own] });
    for (const command of commands.slice(1)) {
      const [, type = '', json = ''] =
        /^npx sluice submit (\S+) '(.*)'$/.exec(command) ?? expect.fail(command);
      expect(registry.checkPayload(type, JSON.parse(json)), command).to.equal(undefined);
    }
  });
});
