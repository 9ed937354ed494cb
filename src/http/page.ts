/** The page at `/` and its parts below `/assets`: as the build has left them, and the two libraries that it stands on. */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { createStatic, type Static, type StaticFile } from './static.js';

/** Run from its source, as `npm run dev` does, it shows the page of the last build. */
const built = new URL(import.meta.url.endsWith('.ts') ? '../../dist/src/' : '../', import.meta.url);

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Parts of the wire that are more than types. */
const shared = ['api/constants.js', 'api/json-members.js'];

/** Nothing from elsewhere, and nothing that stands in the HTML. The icon is the one picture. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'";

export function createPage(): Static {
  const files: Record<string, StaticFile> = {
    '/': { type: 'text/html; charset=utf-8', file: new URL('page/static/index.html', built) },
    '/assets/page/lib/preact.js': library('htm', '../preact/standalone.module.js'),
    '/assets/page/lib/uplot.js': library('uplot', 'uPlot.esm.js'),
    '/assets/page/lib/uplot.css': library('uplot', 'uPlot.min.css'),
  };
  for (const name of shared) files[`/assets/${name}`] = ours(name);
  for (const name of namesIn('client/')) files[`/assets/client/${name}`] = ours(`client/${name}`);
  for (const name of namesIn('page/')) files[`/assets/page/${name}`] = ours(`page/${name}`);
  for (const name of namesIn('page/static/')) files[`/assets/page/${name}`] = ours(`page/static/${name}`);
  return createStatic(files, policy, '/');
}

function namesIn(folder: string): string[] {
  return readdirSync(new URL(folder, built)).filter((name) => extensionOf(name) in types);
}

function ours(path: string): StaticFile {
  return { type: types[extensionOf(path)] ?? '', file: new URL(path, built) };
}

/** @param file  beside what the name leads to, which is its form for Node */
function library(name: string, file: string): StaticFile {
  const found = pathToFileURL(createRequire(import.meta.url).resolve(name));
  return { type: types[extensionOf(file)] ?? '', file: new URL(file, found) };
}

function extensionOf(name: string): string {
  return name.slice(name.lastIndexOf('.'));
}
