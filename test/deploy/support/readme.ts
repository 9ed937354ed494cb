/** The commands and the runbook of deploy/README.md. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { textOf } from './deployed.js';

const run = promisify(execFile);

export const readme = textOf('deploy/README.md');

/** The shell block behind a heading or a line that contains `words`. @throws Error  there is none */
export function blockBehind(words: string): string {
  const from = readme.indexOf(words);
  const block = from === -1 ? undefined : /```sh\n(?<lines>[\s\S]*?)```/.exec(readme.slice(from))?.groups;
  if (block === undefined) throw new Error(`deploy/README.md has no commands behind "${words}"`);
  return String(block['lines']);
}

/** The Dockerfile of the README that has these words in it. @throws Error  there is none */
export function dockerfileWith(words: string): string {
  const blocks = [...readme.matchAll(/```dockerfile\n(?<lines>[\s\S]*?)```/g)];
  const found = blocks.map(({ groups }) => String(groups?.['lines'])).find((text) => text.includes(words));
  if (found === undefined) throw new Error(`deploy/README.md has no Dockerfile with "${words}"`);
  return found;
}

/** Runs a block in an empty folder with these folders in it. @returns the texts of the files that it has written, in this order */
export async function filesMadeBy(
  block: string,
  folders: readonly string[],
  files: readonly string[],
): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-readme-'));
  try {
    for (const one of folders) mkdirSync(join(folder, one), { recursive: true });
    await run('/bin/sh', ['-euc', block], { cwd: folder });
    return files.map((file) => readFileSync(join(folder, file), 'utf8'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The variables of the `.env` that the README's commands write for Compose. */
export async function envOf(): Promise<Record<string, string>> {
  const [text = ''] = await filesMadeBy(blockBehind('## On one machine'), ['deploy'], ['deploy/.env']);
  const lines = text.split('\n').filter((line) => line !== '');
  return Object.fromEntries(
    lines.map((line) => [line.split('=')[0] ?? '', line.slice(line.indexOf('=') + 1)]),
  );
}

export interface RunbookEntry {
  readonly alert: string;
  /** As a link names it. */
  readonly anchor: string;
  readonly text: string;
}

/** Each `### SluiceSomething` below `## Runbook`. */
export function runbook(): RunbookEntry[] {
  const [, book = ''] = readme.split(/^## Runbook$/m);
  return book
    .split(/^### /m)
    .slice(1)
    .map((entry) => {
      const alert = entry.slice(0, entry.indexOf('\n')).trim();
      return { alert, anchor: alert.toLowerCase(), text: entry.slice(alert.length) };
    });
}
