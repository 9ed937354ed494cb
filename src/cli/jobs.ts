/** `sluice jobs`: the newest jobs, as a table or as JSON lines. */
import { type Command, Option } from 'commander';
import type { JobSummary } from '../api/contract.js';
import { type State, states } from '../job/state.js';
import { addClientOptions, type ClientOptions, wholeNumberOption } from './client-options.js';
import type { Style } from './colour.js';
import { withServer } from './server.js';
import { type Column, linesOfTable } from './table.js';
import { oneLine } from './terminal.js';

const stateStyles: Readonly<Partial<Record<State, Style>>> = {
  active: 'cyan',
  retrying: 'yellow',
  succeeded: 'green',
  dead: 'red',
};

interface JobsOptions extends ClientOptions {
  readonly state?: State;
  readonly type?: string;
  readonly queue?: string;
  readonly limit: number;
  readonly cursor?: string;
}

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

async function jobs({ limit, cursor: from, ...options }: JobsOptions): Promise<void> {
  const { state, type, queue } = options;
  let cursor = from;
  let left = limit;
  let isFirst = true;
  await withServer(options, async ({ client }) => {
    do {
      const page = await client.jobPage(
        { state, type, queue },
        { limit: Math.min(left, MOST_PER_PAGE), cursor },
      );
      print(page.jobs, options.json, isFirst);
      isFirst = false;
      left -= page.jobs.length;
      cursor = page.next ?? undefined;
    } while (cursor !== undefined && left > 0);
  });
  if (cursor !== undefined) process.stderr.write(`sluice: there are more: --cursor ${oneLine(cursor)}\n`);
}

/** Of a width that the pages after the first keep to. */
const columns: readonly Column<JobSummary>[] = [
  { title: 'ID', leastWidth: 36, of: ({ id }) => id },
  { title: 'STATE', leastWidth: 9, of: ({ state }) => state, style: ({ state }) => stateStyles[state] },
  { title: 'TYPE', leastWidth: 16, of: ({ type }) => type },
  { title: 'QUEUE', leastWidth: 12, of: ({ queue }) => queue },
  { title: 'RUN', leastWidth: 5, of: ({ run, attempt }) => `${run}.${attempt}` },
  { title: 'ACCEPTED', leastWidth: 24, of: ({ acceptedAt }) => acceptedAt },
  { title: 'ERROR', of: ({ error }) => error?.message ?? '' },
];

function print(rows: readonly JobSummary[], isJson: true | undefined, isFirst: boolean): void {
  const [head, ...table] = isJson
    ? ['', ...rows.map((row) => JSON.stringify(row))]
    : linesOfTable(columns, rows, process.stdout);
  const lines = isFirst && !isJson ? [head, ...table] : table;
  if (lines.length > 0) process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}
