/** The tables of the README that are held against the code and against what was measured. `npx tsx test/docs-tables.ts` writes them anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { errorStatus } from '../src/api/contract.js';
import { settingsTable } from '../src/config/settings.js';
import { articlesTable } from './load/articles.js';
import { readResults, resultsTable } from './load/results.js';

export const readmePath = fileURLToPath(new URL('../README.md', import.meta.url));

/** Each stands between `<!-- name -->` and `<!-- /name -->`. */
export const tables: Readonly<Record<string, () => string>> = {
  settings: settingsTable,
  'error-codes': errorCodesTable,
  bench: resultsTable,
  articles: () => articlesTable(readResults()),
};

/** The codes of an error answer, by status. */
export function errorCodesTable(): string {
  const statuses = [...new Set<number>(Object.values(errorStatus))].toSorted((a, b) => a - b);
  const rows = statuses.map((status) => {
    const codes = Object.entries(errorStatus).filter(([, its]) => its === status);
    return `| ${status} | ${codes.map(([code]) => `\`${code}\``).join(' ')} |`;
  });
  return ['| Status | Code |', '|---|---|', ...rows].join('\n');
}

/** The text between the markers, without the blank lines around it; undefined when a marker is missing. */
export function tableIn(markdown: string, name: string): string | undefined {
  const from = markdown.indexOf(`<!-- ${name} -->`);
  const to = markdown.indexOf(`<!-- /${name} -->`);
  return from === -1 || to < from ? undefined : markdown.slice(from + `<!-- ${name} -->`.length, to).trim();
}

/** What keeps a README from telling the truth, as sentences; none when it is right. */
export function faultsOfReadme(markdown: string): string[] {
  return Object.entries(tables).flatMap(([name, make]) => {
    const found = tableIn(markdown, name);
    if (found === undefined)
      return [`the README has no table between <!-- ${name} --> and <!-- /${name} -->`];
    const expected = make().split('\n');
    const lines = found.split('\n');
    return [
      ...expected.filter((line) => !lines.includes(line)).map((line) => `${name}: missing: ${line}`),
      ...lines.filter((line) => !expected.includes(line)).map((line) => `${name}: not in the code: ${line}`),
      ...(lines.length === expected.length
        ? []
        : [`${name}: ${lines.length} lines, expected ${expected.length}`]),
    ];
  });
}

/** The same README with the tables as they should be. */
export function withTables(markdown: string): string {
  return Object.entries(tables).reduce((text, [name, make]) => {
    if (tableIn(text, name) === undefined)
      throw new Error(`the README lacks <!-- ${name} --> and <!-- /${name} -->`);
    const [before = ''] = text.split(`<!-- ${name} -->`);
    const after = text.slice(text.indexOf(`<!-- /${name} -->`));
    return `${before}<!-- ${name} -->\n${make()}\n${after}`;
  }, markdown);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(readmePath, withTables(readFileSync(readmePath, 'utf8')));
}
