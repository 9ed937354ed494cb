import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { loadHandlers } from '../../src/handler/load.js';
import { Invalid } from '../../src/job/errors.js';

function setup() {
  const folder = mkdtempSync(join(tmpdir(), 'handlers-'));
  return {
    folder,
    write(name: string, text: string): void {
      const path = join(folder, name);
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, text);
    },
    types: async (specifier: string) =>
      (await loadHandlers(specifier, folder)).map((handler) => handler.type),
    async fault(specifier: string): Promise<string> {
      try {
        await loadHandlers(specifier, folder);
      } catch (error) {
        expect(error).to.be.instanceOf(Invalid).with.property('code', 'invalid_handler');
        const { message } = error as Invalid;
        expect(message.startsWith(`HANDLERS=${specifier}: `), message).to.equal(true);
        return message;
      }
      return 'accepted';
    },
    cleanUp: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const a = `{ type: 'a', payload: {}, run: () => 'ran a' }`;
const b = `{ type: 'b', payload: {}, run: async () => 'ran b' }`;

describe('loadHandlers', () => {
  let at: ReturnType<typeof setup>;
  beforeEach(() => {
    at = setup();
  });
  afterEach(() => at.cleanUp());

  const shapes: readonly [title: string, file: string, text: string, types: readonly string[]][] = [
    ['an array as default', 'x.mjs', `export default [${a}, ${b}]`, ['a', 'b']],
    ['an array as handlers', 'x.mjs', `export const handlers = [${a}, ${b}]`, ['a', 'b']],
    [
      'one and the same array as both',
      'x.mjs',
      `export const handlers = [${a}]; export default handlers`,
      ['a'],
    ],
    ['a single handler', 'x.mjs', `export default ${a}`, ['a']],
    ['a function', 'x.mjs', `export default () => [${a}, ${b}]`, ['a', 'b']],
    [
      'an async function that gives a single handler',
      'x.mjs',
      `export const handlers = async () => (${a})`,
      ['a'],
    ],
    ['a promise', 'x.mjs', `export default Promise.resolve([${a}])`, ['a']],
    ['a CommonJS array', 'x.cjs', `module.exports = [${a}]`, ['a']],
    ['a CommonJS handler', 'x.cjs', `module.exports = ${a}`, ['a']],
    ['CommonJS handlers', 'x.cjs', `exports.handlers = [${a}, ${b}]`, ['a', 'b']],
    [
      'CommonJS compiled from an ES module',
      'x.cjs',
      `exports.__esModule = true; exports.default = [${a}]`,
      ['a'],
    ],
    ['a CommonJS function', 'x.cjs', `module.exports = () => [${a}]`, ['a']],
  ];
  for (const [title, file, text, types] of shapes) {
    it(`takes ${title}`, async () => {
      at.write(file, text);
      expect(await at.types(`./${file}`)).to.deep.equal(types);
    });
  }

  it('finds a file by a relative path, a bare file name, an absolute path and a file URL', async () => {
    at.write('sub/x.mjs', `export default ${a}`);
    const path = join(at.folder, 'sub/x.mjs');
    for (const specifier of [
      './sub/x.mjs',
      'sub/x.mjs',
      '../'.repeat(20) + path.slice(1),
      path,
      pathToFileURL(path).href,
    ]) {
      expect(await at.types(specifier), specifier).to.deep.equal(['a']);
    }
  });

  it('finds an installed package by its name', async () => {
    at.write(
      'node_modules/@acme/jobs/package.json',
      JSON.stringify({ name: '@acme/jobs', type: 'module', exports: './main.js' }),
    );
    at.write('node_modules/@acme/jobs/main.js', `export const handlers = [${b}]`);
    expect(await at.types('@acme/jobs')).to.deep.equal(['b']);
  });

  it('returns handlers that run', async () => {
    at.write('x.mjs', `export default [${b}]`);
    const [handler] = await loadHandlers('./x.mjs', at.folder);
    expect(await handler?.run(undefined as never, undefined as never)).to.equal('ran b');
  });

  const faults: readonly [title: string, file: string, text: string, said: RegExp][] = [
    [
      'that does not parse',
      'x.mjs',
      'export default [\n  {{\n]',
      /it does not parse: .*\(node --check .*x\.mjs shows where\)/,
    ],
    [
      'that throws at import',
      'x.mjs',
      `\nthrow new TypeError('no database')`,
      /TypeError: no database \(.*x\.mjs, line \d\)/,
    ],
    [
      'that throws something that is no error',
      'x.mjs',
      'throw Object.create(null)',
      /a thrown value that is no Error/,
    ],
    [
      'that imports what is not installed',
      'x.mjs',
      `import 'no-such-thing'`,
      /Cannot find package 'no-such-thing'/,
    ],
    ['that exports nothing', 'x.mjs', '', /it exports nothing: export an array of handlers/],
    [
      'that exports other names',
      'x.mjs',
      `export const mail = ${a}`,
      /it exports only mail: export an array/,
    ],
    ['that exports a number', 'x.mjs', 'export default 5', /it exports a number: export an array/],
    [
      'whose function returns nothing',
      'x.mjs',
      'export default () => {}',
      /it exports nothing: export an array/,
    ],
    ['that exports an empty array', 'x.mjs', 'export default []', /an empty array/],
    [
      'whose function throws',
      'x.mjs',
      `export default () => { throw new Error('no key') }`,
      /failed with Error: no key/,
    ],
    ['whose promise rejects', 'x.mjs', `export default async () => { throw 'why' }`, /no Error: 'why'/],
    [
      'with two exports that differ',
      'x.mjs',
      `export default [${a}]; export const handlers = [${b}]`,
      /they differ: keep one/,
    ],
    [
      'with items that are no handlers',
      'x.mjs',
      `export default [${a}, 5, { type: 'c' }]`,
      /item 1: a handler: must be an object.*\n.*item 2: handler "c": payload must.*run must/,
    ],
    [
      'with a typo in a handler',
      'x.mjs',
      `export default { ...${a}, retries: 5 }`,
      /handler "a": unknown key 'retries'/,
    ],
    ['of JSON', 'x.json', '[]', /a JSON file holds no functions/],
  ];
  for (const [title, file, text, said] of faults) {
    it(`refuses a module ${title}`, async () => {
      at.write(file, text);
      expect(await at.fault(`./${file}`)).to.match(said);
    });
  }

  it('gives up on a module, and on a function of it, that never finishes', async () => {
    const never = 'new Promise(() => {})';
    at.write('await.mjs', `await ${never}`);
    at.write('function.mjs', `export default () => ${never}`);
    for (const [file, what, limitMs] of [
      ['./await.mjs', 'importing it', 50],
      ['./function.mjs', 'the function it exports', 2_000], // an import takes its time on a busy machine
    ] as const) {
      const message = await loadHandlers(file, at.folder, limitMs).then(
        () => 'accepted',
        (error: unknown) => (error instanceof Invalid ? error.message : String(error)),
      );
      expect(message).to.equal(`HANDLERS=${file}: ${what} has not finished within ${limitMs} ms`);
    }
  });

  it('names no place inside Node as the place of a fault', async () => {
    at.write('x.mjs', `import 'no-such-thing'`);
    expect(await at.fault('./x.mjs')).to.not.include('(/modules/');
  });

  it('says where it looked for a file that is not there', async () => {
    expect(await at.fault('./missing.js')).to.contain(`there is no file ${join(at.folder, 'missing.js')}`);
    expect(await at.fault('/no/such/file.js')).to.contain('there is no file /no/such/file.js');
    expect(await at.fault('no-such-package')).to.match(
      /neither a file .*no-such-package nor an installed package/,
    );
    expect(await at.fault('file://%zz')).to.contain('not a valid file URL');
  });

  it('asks for a file when a folder is named', async () => {
    at.write('sub/x.mjs', '');
    expect(await at.fault('./sub')).to.contain('is a folder: name the file in it');
    expect(await at.fault('..')).to.contain('is a folder');
  });
});
