/** The built client can be loaded by a browser: its modules import each other and nothing else. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { importsOf } from '../support/architecture.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const entry = join(root, 'dist/src/client/client.js');

/** Every module that is reached from the entry, and what is loaded that is no file beside it. */
function graphFrom(file: string, read: (path: string) => string = (path) => readFileSync(path, 'utf8')) {
  const files = new Set<string>();
  const strangers: string[] = [];
  const visit = (path: string): void => {
    if (files.has(path)) return;
    files.add(path);
    for (const target of importsOf(path, read(path))) {
      if (dirname(target) === dirname(file)) visit(target.replace(/\.ts$/, '.js'));
      else strangers.push(`${path} loads ${target}`);
    }
  };
  visit(file);
  return { files, strangers };
}

describe('the built client', () => {
  it('loads files of its own folder alone', () => {
    const { files, strangers } = graphFrom(entry);
    expect(strangers).to.deep.equal([]);
    expect([...files].map((file) => file.slice(join(root, 'dist/src/client/').length))).to.include.members([
      'client.js',
      'requests.js',
      'batch.js',
    ]);
  });

  it('would be found out', () => {
    for (const load of ["import 'undici';", "export * from 'node:fs';", "await import('../job/state.js');"]) {
      const read = (path: string): string => (path.endsWith('/a.js') ? "import { b } from './b.js';" : load);
      expect(graphFrom('/x/a.js', read).strangers).to.have.length(1);
    }
  });

  it('has declarations that a page without the types of Node can use', () => {
    expect(existsSync(entry.replace('.js', '.d.ts')), 'npm run build first').to.equal(true);
    const folder = mkdtempSync(join(tmpdir(), 'page-'));
    try {
      const page = (payload: string): string =>
        `import { createClient } from ${JSON.stringify(entry)};
        const client = createClient<{ mail: { payload: { to: string }; result: number } }>({ url: '', fetch: window.fetch });
        const job = await client.submit('mail', ${payload});
        document.title = (await client.result(job)).toFixed();
        export {};`;
      const compile = (text: string) => {
        writeFileSync(join(folder, 'page.ts'), text);
        const flags = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,dom', '--skipLibCheck'];
        const args = [join(root, 'node_modules/typescript/bin/tsc'), ...flags, '--types', ''];
        const modules = ['--module', 'esnext', '--moduleResolution', 'bundler'];
        const ended = spawnSync(process.execPath, [...args, ...modules, 'page.ts'], { cwd: folder });
        return String(ended.stdout);
      };
      expect(compile(page("{ to: 'me' }"))).to.equal('');
      expect(compile(page('{ too: 1 }'))).to.match(/^page\.ts\(3,\d+\): error TS2353: .*'too'/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
