/** Loads a user's own handlers: the module that the setting HANDLERS names. */
import { statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, isAbsolute, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { Invalid } from '../job/errors.js';
import { type AnyHandler, defineHandler } from './define.js';

/** A module that connects to something first may take its time; one that never comes back must not hang the start in silence. */
const LONGEST_LOAD_MS = 60_000;

const EXPECTED =
  'export an array of handlers (or one handler, or a function that returns them) as default or as `handlers`';

/**
 * Imports a module (ES or CommonJS) and returns the handlers it exports, each checked like one made by `defineHandler`.
 * @param specifier  a path relative to `from`, an absolute path, a `file:` URL, or the name of an installed package
 * @param from  the folder that relative paths start at
 * @param longestMs  how long the module, and the function it may export, have to finish
 * @throws Invalid  code `invalid_handler`, one message with everything that is wrong and what to do
 */
export async function loadHandlers(
  specifier: string,
  from: string = process.cwd(),
  longestMs: number = LONGEST_LOAD_MS,
): Promise<readonly AnyHandler[]> {
  const fail = (reason: string, cause?: unknown): Invalid =>
    new Invalid('invalid_handler', `HANDLERS=${specifier}: ${reason}`, { cause });

  const url = locate(specifier, from, fail);
  const late = AbortSignal.timeout(longestMs);
  const inTime = <Value>(loading: Promise<Value> | Value, what: string): Promise<Value> =>
    Promise.race([
      loading,
      new Promise<never>((_, reject) =>
        late.addEventListener('abort', () => reject(fail(`${what} has not finished within ${longestMs} ms`))),
      ),
    ]);
  let exported: Record<string, unknown>;
  try {
    exported = (await inTime(import(url), 'importing it')) as Record<string, unknown>;
  } catch (error) {
    if (late.aborted && error instanceof Invalid) throw error;
    throw fail(importFault(url, error), error);
  }

  const chosen = chooseExport(exported, fail);
  let value: unknown;
  try {
    value = await inTime(
      typeof chosen === 'function' ? (chosen as () => unknown)() : chosen,
      'the function it exports',
    );
  } catch (error) {
    if (late.aborted && error instanceof Invalid) throw error;
    throw fail(`what it exports failed with ${told(error)}${placeOf(error)}`, error);
  }
  return checkItems(value, fail);
}

type Fail = (reason: string, cause?: unknown) => Invalid;

function locate(specifier: string, from: string, fail: Fail): string {
  const isUrl = specifier.startsWith('file:');
  const path = isUrl ? pathOf(specifier, fail) : resolve(from, specifier);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile()) {
    if (extname(path) === '.json')
      throw fail('a JSON file holds no functions: name a .js, .mjs or .cjs file');
    return pathToFileURL(path).href;
  }

  if (isUrl || isAbsolute(specifier) || /^\.{1,2}([/\\]|$)/.test(specifier)) {
    throw fail(found ? `${path} is a folder: name the file in it` : `there is no file ${path}`);
  }
  try {
    return pathToFileURL(createRequire(resolve(from, 'noop.js')).resolve(specifier)).href;
  } catch {
    // A package that only an `import` may load is found from where Sluice itself is installed.
    try {
      return import.meta.resolve(specifier);
    } catch (error) {
      throw fail(`there is neither a file ${path} nor an installed package of that name`, error);
    }
  }
}

function pathOf(url: string, fail: Fail): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw fail('is not a valid file URL', error);
  }
}

function importFault(url: string, error: unknown): string {
  if (error instanceof SyntaxError) {
    // Node keeps the line to itself in an imported module, and shows it only to the uncaught.
    return `it does not parse: ${error.message} (node --check ${fileURLToPath(url)} shows where)`;
  }
  return `importing it failed with ${told(error)}${placeOf(error)}`;
}

/** The first place in user code that a stack names. */
function placeOf(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  // A path begins after a space, a bracket or `file://`; what stands after `node:` is no file of anybody's.
  const places = [...stack.matchAll(/(?:\s|\(|file:\/\/)(\/[^\s()?]+)(?:\?\S*)?:(\d+):\d+\)?$/gm)];
  const place = places.find(([, path]) => path !== import.meta.filename);
  return place ? ` (${place[1]}, line ${place[2]})` : '';
}

function chooseExport(exported: Record<string, unknown>, fail: Fail): unknown {
  let byDefault = exported['default'];
  // CommonJS, and ES modules compiled to it: what counts lies one level deeper.
  if (isRecord(byDefault) && ('handlers' in byDefault || 'default' in byDefault)) {
    byDefault = byDefault['handlers'] ?? byDefault['default'];
  }
  const byName = exported['handlers'];
  if (byDefault !== undefined && byName !== undefined && byDefault !== byName) {
    throw fail('it exports both a default and `handlers`, and they differ: keep one');
  }
  const value = byDefault ?? byName;
  if (value === undefined || value === null) {
    const names = Object.keys(exported).join(', ');
    throw fail(`it exports ${names === '' ? 'nothing' : `only ${names}`}: ${EXPECTED}`);
  }
  return value;
}

function checkItems(value: unknown, fail: Fail): readonly AnyHandler[] {
  const items: unknown[] = Array.isArray(value) ? value : [value];
  if (!Array.isArray(value) && !isRecord(value)) throw fail(`it exports ${kindOf(value)}: ${EXPECTED}`);
  if (items.length === 0) throw fail(`it exports an empty array: ${EXPECTED}`);

  const handlers: AnyHandler[] = [];
  const faults: string[] = [];
  for (const [index, item] of items.entries()) {
    try {
      handlers.push(defineHandler(item as AnyHandler));
    } catch (error) {
      faults.push(Array.isArray(value) ? `item ${index}: ${messageOf(error)}` : messageOf(error));
    }
  }
  if (faults.length > 0) throw fail(faults.join('\n  '));
  return handlers;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : value === undefined ? 'nothing' : `a ${typeof value}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function told(error: unknown): string {
  return error instanceof Error
    ? `${error.name}: ${error.message}`
    : `a thrown value that is no Error: ${inspect(error)}`;
}
