/** The README's page on the client: its files compile, their misuse does not, and they do what they say. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { startSluice } from '../support/sluice.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const section = readme.slice(
  readme.indexOf('\n## Typed client\n'),
  readme.indexOf('\n## What became of a job\n'),
);
const files = [...section.matchAll(/^```ts\n\/\/ (\S+)\n(.*?)^```$/gms)].map(([, name = '', text = '']) => ({
  name,
  text,
}));
const tsx = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href;

/** A user's folder: the README's files in it, and Sluice installed as it is built. */
function install(): string {
  const folder = mkdtempSync(join(tmpdir(), 'client-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules/sluice'));
  symlinkSync(join(root, 'node_modules/@types'), join(folder, 'node_modules/@types'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  for (const { name, text } of files) writeFileSync(join(folder, name), text);
  return folder;
}

async function run(folder: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, args, { cwd: folder, env: { ...process.env, ...env } });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

describe('the page of the README on the client', () => {
  let folder: string;
  before(() => {
    folder = install();
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const misuses: readonly (readonly [title: string, right: string, wrong: string, says: RegExp])[] = [
    ['a type that no handler takes', "submit('report.build'", "submit('report.bild'", /'"report\.bild"'/],
    [
      'a payload without a field',
      "{ month: '2026-11', amounts: [1, 2] }",
      "{ month: '2026-11' }",
      /'amounts' is missing/,
    ],
    [
      'a payload with a field of another type',
      'amounts: [1, 2]',
      "amounts: ['1']",
      /'string' is not assignable to type 'number'/,
    ],
    ['a field of a result that is not there', 'const { sum }', 'const { total }', /'total' does not exist/],
    ['an option that is not there', "priority: 'high'", "priority: 'urgent'", /'"urgent"' is not assignable/],
    [
      'an item of a batch that does not fit',
      'amounts: [n]',
      'amounts: n',
      /'number' is not assignable to type 'number\[\]'/,
    ],
    ['the error of an item that was accepted', 'error ? `', '!error ? `', /error.*(undefined|never)/],
  ];
  it('has files that compile under strict rules, and do not with a misuse in them', async () => {
    expect(files.map(({ name }) => name)).to.deep.equal(['handlers.ts', 'reports.ts']);
    const text = files.find(({ name }) => name === 'reports.ts')?.text ?? '';
    const wrongs = misuses.map(([title, right, wrong], index) => {
      expect(text, title).to.include(right);
      writeFileSync(join(folder, `misuse-${index}.ts`), text.replace(right, wrong));
      return `misuse-${index}.ts`;
    });
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const rules = ['--strict', '--noEmit', '--target', 'es2023', '--module', 'nodenext', '--types', 'node'];
    const { output } = await run(folder, [tsc, ...rules, 'reports.ts', ...wrongs]);
    const faults = output.split(/\n(?=\S+\.ts\()/);
    for (const [index, [title, , , says]] of misuses.entries()) {
      const its = faults.filter((fault) => fault.startsWith(`misuse-${index}.ts`));
      expect(its.join('\n'), title).to.match(says);
    }
    const others = faults.filter((fault) => fault !== '' && !fault.startsWith('misuse-'));
    expect(others).to.deep.equal([]);
  }).timeout(180_000);

  it('does what it says', async () => {
    const env = { DATA_DIR: folder, PORT: '0', HANDLERS: './handlers.ts', NODE_OPTIONS: `--import ${tsx}` };
    const server = startSluice(['start'], env, { cwd: folder });
    try {
      const url =
        (await server.waitForLine(/http:\/\/127\.0\.0\.1:\d+/)).match(/http:\/\/[\d.:]+/)?.[0] ?? '';
      const { code, output } = await run(folder, ['--import', tsx, 'reports.ts'], { SLUICE_URL: url });
      expect(code, output).to.equal(0);
      const [first, ...items] = output.trimEnd().split('\n');
      expect(first).to.match(/^[0-9a-f-]{36}: 3$/);
      expect(items).to.have.length(12);
      for (const [index, line] of items.entries())
        expect(line).to.match(new RegExp(`^${index} [0-9a-f-]{36}$`));
    } finally {
      server.kill('SIGKILL');
      await server.exited;
    }
  });
});
