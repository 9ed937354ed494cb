/** The rules of the layout (design.md, section 3) as a pure function from source texts to faults. */
import { posix } from 'node:path';

/** Path from the repository's root, with slashes, to the file's text. */
export type Sources = ReadonlyMap<string, string>;

const below = {
  policy: ['job', 'runtime'],
  contract: ['job', 'runtime', 'handler', 'api', 'config'],
  ports: ['job', 'runtime', 'handler', 'api', 'config', 'broker', 'store'],
  roles: [
    'job',
    'runtime',
    'handler',
    'api',
    'config',
    'broker',
    'store',
    'events',
    'worker',
    'recorder',
    'operations',
    'http',
  ],
} as const;

/** What each part of `src` may import besides itself. A part that is missing here may not exist. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  job: [],
  runtime: [],
  handler: below.policy,
  api: below.policy,
  config: [...below.policy, 'api'],
  client: ['api', 'job'],
  page: ['api', 'client'],
  broker: below.contract,
  store: below.contract,
  events: below.ports,
  worker: [...below.ports, 'events'],
  recorder: [...below.ports, 'events'],
  operations: [...below.ports, 'events'],
  http: [...below.ports, 'events', 'operations'],
  observe: below.roles,
  assemble: [...below.roles, 'observe', 'workers'],
  cli: [...below.roles, 'client', 'assemble', 'workers'],
};

/** All that a handler may know of Sluice. */
const handlersMayImport = ['src/handler/define.ts', 'src/job/errors.ts'];

const brokerEngines = ['src/broker/rabbitmq/', 'src/broker/embedded/'];
const amqpFolder = 'src/broker/rabbitmq/';
/** Who makes spans, by the API; the one file that loads an SDK is the preload, which nothing imports. */
const spanMakers = ['src/observe/', 'workers/'];
const spanApi = '@opentelemetry/api';
const spanSdkLoader = 'src/observe/preload.ts';
/** It runs in browsers: of the rest of Sluice, and of packages, it may know types alone. */
const typesOnlyFolder = 'src/client/';
const longestFile = 400;

/** @returns one sentence per fault, naming the file; empty when all is well */
export function faultsOfArchitecture(sources: Sources): string[] {
  const imports = new Map<string, readonly string[]>();
  for (const [file, text] of sources)
    imports.set(
      file,
      importsOf(file, text).map((target) => (sources.has(`${target}x`) ? `${target}x` : target)),
    );
  const faults: string[] = [];
  for (const [file, text] of sources) {
    const lines = text.split('\n').length - 1;
    if (lines > longestFile)
      faults.push(`${file} has ${lines} lines; split it, ${longestFile} are the limit`);
    if (!file.startsWith('src/') && !file.startsWith('workers/')) continue;
    if (file.startsWith('src/') && posix.basename(file) === 'index.ts')
      faults.push(`${file} is a barrel; import from the file that owns the name`);
    if (file !== 'src/config.ts' && readsEnvironment(text))
      faults.push(`${file} reads process.env; only src/config.ts may`);
    for (const target of imports.get(file) ?? []) faults.push(...faultsOfImport(file, target));
    if (file.startsWith(typesOnlyFolder)) {
      const loaded = loadedBy(file, text).filter((target) => !target.startsWith(typesOnlyFolder));
      faults.push(
        ...loaded.map((target) => `${file} loads ${target}; a browser has ${typesOnlyFolder} alone`),
      );
    }
  }
  return [...faults, ...cyclesOf(imports)];
}

function faultsOfImport(file: string, target: string): string[] {
  if (target === 'amqplib' || target.startsWith('amqplib/')) {
    return file.startsWith(amqpFolder) ? [] : [`${file} imports amqplib; only ${amqpFolder} may`];
  }
  if (target.startsWith('@opentelemetry/')) {
    const isAllowed =
      file === spanSdkLoader || (target === spanApi && spanMakers.some((folder) => file.startsWith(folder)));
    return isAllowed
      ? []
      : [`${file} imports ${target}; only ${spanMakers.join(' and ')} may import ${spanApi}`];
  }
  if (target === spanSdkLoader) return [`${file} imports ${target}, which is for \`node --import\` alone`];
  if (!isOurs(target)) return [];
  const [from, to] = [partOf(file), partOf(target)];
  if (from === 'workers') {
    const isAllowed = to === 'workers' || handlersMayImport.includes(target);
    return isAllowed
      ? []
      : [`${file} imports ${target}; a handler may import ${handlersMayImport.join(' and ')} alone`];
  }
  const engineOf = (path: string): string | undefined =>
    brokerEngines.find((folder) => path.startsWith(folder));
  const engine = engineOf(target);
  if (engine !== undefined && engine !== engineOf(file) && from !== 'assemble') {
    return [`${file} imports ${target}; only src/assemble.ts picks an engine`];
  }
  if (from === to) return [];
  const allowed = mayImport[from];
  if (allowed === undefined) return [`${file} is in a part of src that design.md does not name`];
  return allowed.includes(to)
    ? []
    : [`${file} imports ${target}; ${from} may import ${allowed.join(', ') || 'nothing'}`];
}

/** `src/job/job.ts` is of `job`, `src/config.ts` of `config`, `workers/echo.ts` of `workers`. */
function partOf(path: string): string {
  const [top = '', second = ''] = path.split('/');
  return top === 'src' ? second.replace(/\.ts$/, '') : top;
}

function isOurs(target: string): boolean {
  return /\.tsx?$/.test(target);
}

/**
 * What a file imports, `import type`, re-exports and dynamic imports included: paths from the root for files of ours,
 * names for packages. A scan of the text, for TypeScript 7 has no JavaScript API to ask.
 */
export function importsOf(file: string, text: string): string[] {
  const found = withoutComments(text).matchAll(/\b(?:from|import)\s*\(?\s*(['"])([^'"\n]+)\1/g);
  return [...found].map((match) => {
    const specifier = match[2] ?? '';
    if (!specifier.startsWith('.')) return specifier;
    return posix.join(posix.dirname(file), specifier).replace(/\.js$/, '.ts');
  });
}

/** What is loaded when the file runs: its imports without those of types. */
function loadedBy(file: string, text: string): string[] {
  const ofTypes = /\b(?:import|export)\s+type\b[^'"]*from\s*(['"])[^'"\n]+\1/g;
  return importsOf(file, withoutComments(text).replace(ofTypes, ' '));
}

function readsEnvironment(text: string): boolean {
  const code = withoutComments(text);
  return (
    /\bprocess\s*\??\s*(?:\.\s*env\b|\[\s*['"`]env)/.test(code) ||
    /\{[^}]*\benv\b[^}]*\}\s*=\s*process\b/.test(code) ||
    /import\s*\{[^}]*\benv\b[^}]*\}\s*from\s*['"](?:node:)?process['"]/.test(code)
  );
}

function withoutComments(text: string): string {
  const stringOrComment =
    /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return text.replace(stringOrComment, (found) => (found.startsWith('/') ? ' ' : found));
}

/** Every cycle once, as the path that closes it. */
function cyclesOf(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const faults: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) {
      faults.push(`import cycle: ${[...path.slice(start), file].join(' -> ')}`);
      return;
    }
    if (done.has(file)) return;
    for (const target of imports.get(file) ?? []) {
      if (imports.has(target)) visit(target, [...path, file]);
    }
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return faults;
}
