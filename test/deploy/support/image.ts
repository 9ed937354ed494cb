/**
 * Carries out the steps of the Dockerfile in folders that stand for the file systems of its stages. It is no container: commands run on
 * this machine, with its Node and its npm, so what the base images hold is not checked.
 */
import { execFile } from 'node:child_process';
import { chown, cp, mkdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Stage, Step } from './dockerfile.js';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;

export interface BuildOptions {
  readonly stages: readonly Stage[];
  /** What COPY takes files from. */
  readonly context: string;
  /** Paths of the context that `.dockerignore` lets in; others are not there. */
  readonly allowed: readonly string[];
  /** Empty; each stage gets a folder in it. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}

/** @returns the folder that stands for `/` in the last stage */
export async function buildImage(options: BuildOptions): Promise<string> {
  const roots = new Map<string, string>();
  let root = '';
  for (const { name, steps } of options.stages) {
    root = join(options.folder, name);
    roots.set(name, root);
    await mkdir(root);
    await carryOut(steps, root, roots, options);
  }
  return root;
}

async function carryOut(
  steps: readonly Step[],
  root: string,
  roots: ReadonlyMap<string, string>,
  { context, allowed, env }: BuildOptions,
): Promise<void> {
  let workdir = '/';
  for (const step of steps) {
    const at = (path: string): string => join(root, resolve(workdir, path));
    if (step.keyword === 'WORKDIR') {
      workdir = resolve(workdir, step.text);
      await mkdir(at('.'), { recursive: true });
    } else if (step.keyword === 'RUN') {
      await run('/bin/sh', ['-c', step.text], { cwd: at('.'), env, maxBuffer: 2 ** 24 });
    } else if (step.keyword === 'COPY') {
      await copy(step, at, sourceOf(step, roots, context, allowed));
    } else if (!harmless.has(step.keyword)) {
      throw new Error(`${step.keyword} cannot be carried out without a container`);
    }
  }
}

/** These change no file. */
const harmless = new Set(['LABEL', 'ENV', 'USER', 'VOLUME', 'EXPOSE', 'HEALTHCHECK', 'ENTRYPOINT', 'CMD']);

function sourceOf(
  step: Step,
  roots: ReadonlyMap<string, string>,
  context: string,
  allowed: readonly string[],
): (path: string) => string {
  const from = step.flags['from'];
  if (from === undefined) {
    return (path) => {
      if (!allowed.some((one) => path === one || path.startsWith(`${one}/`)))
        throw new Error(`.dockerignore keeps ${path} out of the context`);
      return join(context, path);
    };
  }
  const root = roots.get(from);
  if (root === undefined) throw new Error(`there is no stage ${from} before this one`);
  return (path) => join(root, path);
}

/** A file goes into a folder if that ends in `/`; of a folder it is the contents that go. */
async function copy(
  step: Step,
  at: (path: string) => string,
  source: (path: string) => string,
): Promise<void> {
  const target = step.words.at(-1) ?? '';
  const owner = /^(\d+):(\d+)$/.exec(step.flags['chown'] ?? '');
  for (const path of step.words.slice(0, -1)) {
    const isFolder = (await stat(source(path))).isDirectory();
    const place = !isFolder && target.endsWith('/') ? join(at(target), basename(path)) : at(target);
    await cp(source(path), place, { recursive: true, verbatimSymlinks: true });
    if (owner !== null && isRoot) await chown(place, Number(owner[1]), Number(owner[2]));
  }
}
