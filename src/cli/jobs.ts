/** `sluice jobs`: the newest jobs, as a table or as JSON lines. */
import { type Command, Option } from 'commander';
import { states } from '../job/state.js';
import { ask } from './ask.js';
import { addClientOptions, type ClientOptions, clientOf, wholeNumberOption } from './client-options.js';
import { oneLine } from './terminal.js';

interface JobsOptions extends ClientOptions {
  readonly state?: string;
  readonly type?: string;
  readonly queue?: string;
  readonly limit: number;
  readonly cursor?: string;
}

type Row = Readonly<Record<string, unknown>>;

/** What one request may list. */
const MOST_PER_PAGE = 200;

export function addJobs(program: Command): void {
  const command = program
    .command('jobs')
    .description('Lists jobs, the newest first.')
    .addOption(new Option('--state <state>', 'only those in this state').choices(states))
    .option('--type <type>', 'only those of this type')
    .option('--queue <name>', 'only those of this queue')
    .addOption(wholeNumberOption('--limit <n>', 'how many at most', 1, 1_000_000).default(50))
    .option('--cursor <cursor>', 'go on where another call ended, which has printed it on stderr')
    .action((options: JobsOptions) => jobs(options));
  addClientOptions(command).addHelpText(
    'after',
    `
With --json, one job a line.

Examples:
  sluice jobs --state dead --type http.push
  sluice jobs --state retrying --limit 1000 --json | jq -r .error.message | sort | uniq -c`,
  );
}

async function jobs(options: JobsOptions): Promise<void> {
  const client = clientOf(options);
  let { cursor } = options;
  let left = options.limit;
  let isFirst = true;
  do {
    const path = `/v1/jobs?${queryOf(options, Math.min(left, MOST_PER_PAGE), cursor)}`;
    const answer = await ask(client, { method: 'GET', path, answerMs: 60_000 }, options);
    const rows = (Array.isArray(answer['jobs']) ? answer['jobs'] : []) as Row[];
    print(rows, options.json, isFirst);
    isFirst = false;
    left -= rows.length;
    cursor = typeof answer['next'] === 'string' ? answer['next'] : undefined;
  } while (cursor !== undefined && left > 0);
  if (cursor !== undefined) process.stderr.write(`sluice: there are more: --cursor ${oneLine(cursor)}\n`);
}

function queryOf({ state, type, queue }: JobsOptions, limit: number, cursor: string | undefined): string {
  const given = Object.entries({ state, type, queue, limit: String(limit), cursor });
  return new URLSearchParams(given.filter((one): one is [string, string] => one[1] !== undefined)).toString();
}

const columns: readonly { readonly title: string; readonly width: number; of(row: Row): unknown }[] = [
  { title: 'ID', width: 36, of: (row) => row['id'] },
  { title: 'STATE', width: 9, of: (row) => row['state'] },
  { title: 'TYPE', width: 16, of: (row) => row['type'] },
  { title: 'QUEUE', width: 12, of: (row) => row['queue'] },
  { title: 'RUN', width: 5, of: (row) => `${String(row['run'])}.${String(row['attempt'])}` },
  { title: 'ACCEPTED', width: 24, of: (row) => row['acceptedAt'] },
  { title: 'ERROR', width: 0, of: (row) => (row['error'] as Row | undefined)?.['message'] ?? '' },
];

function print(rows: readonly Row[], isJson: true | undefined, isFirst: boolean): void {
  const lines = isJson
    ? rows.map((row) => JSON.stringify(row))
    : rows.map((row) => lineOf(columns.map((column) => String(column.of(row)))));
  const head = isFirst && !isJson ? [lineOf(columns.map(({ title }) => title))] : [];
  const text = [...head, ...lines].map((line) => `${line}\n`).join('');
  if (text !== '') process.stdout.write(text);
}

function lineOf(cells: readonly string[]): string {
  return oneLine(cells.map((cell, index) => oneLine(cell).padEnd(columns[index]?.width ?? 0)).join(' '));
}
