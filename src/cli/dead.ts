/** `sluice dead`: what has died and of what; replays and discards of many. */
import type { Command } from 'commander';
import { defaultRatePerSecond } from '../api/constants.js';
import type { JobSummary } from '../api/contract.js';
import type { DeadLetterFilter, DeadLetterGroup, RedriveView } from '../api/dead-letters.js';
import type { Kind } from '../config/kinds.js';
import { addClientOptions, type ClientOptions, valueOption, wholeNumberOption } from './client-options.js';
import { idOf, withServer } from './server.js';
import { type Column, tableOf } from './table.js';
import { CommandFailed, oneLine } from './terminal.js';
import { watchRedrive } from './watch-redrive.js';

interface FilterOptions extends ClientOptions {
  readonly group?: string;
  readonly type?: string;
  readonly queue?: string;
}

interface ListOptions extends FilterOptions {
  readonly limit: number;
  readonly cursor?: string;
}

interface RedriveOptions extends FilterOptions {
  readonly before?: string;
  readonly all?: true;
  readonly rate?: number;
  readonly dryRun?: true;
  readonly wait: boolean;
}

const rateKind: Kind<number> = {
  expects: 'a number, 0.01 to 10000',
  parse(text) {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    return value >= 0.01 && value <= 10_000 ? { value } : { fault: 'not such a number' };
  },
};

export function addDead(program: Command): void {
  const dead = program
    .command('dead')
    .description('Shows what has died and of what, and replays or discards many at once.');
  const list = filterOptions(
    dead.command('list', { isDefault: true }).description('Lists errors by how many died of them, and jobs.'),
  )
    .addOption(wholeNumberOption('--limit <n>', 'how many jobs at most', 1, 200).default(20))
    .option('--cursor <cursor>', 'go on where another call ended, which has printed it on stderr')
    .action((options: ListOptions) => listDead(options));
  addClientOptions(list).addHelpText(
    'after',
    `
Examples:
  sluice dead
  sluice dead --group 3f9a61c2 --json | jq .items`,
  );
  addRedrive(dead, 'replay').addHelpText(
    'after',
    `
Runs on the server, and halts by itself when failures come back. Ctrl-C ends the watching, not the replay.
A single job, or one with an edited payload: POST /v1/jobs/<id>/replay.

Examples:
  sluice dead replay --group 3f9a61c2 --dry-run
  sluice dead replay --group 3f9a61c2 --rate 5
  sluice dead replay --all --before 2026-01-31T12:00:00Z --no-wait`,
  );
  addRedrive(dead, 'discard').addHelpText(
    'after',
    `
Discarded jobs count as ended; they cannot be replayed.

Examples:
  sluice dead discard --type http.push --before 2026-01-31T12:00:00Z
  sluice dead discard --all --dry-run`,
  );
  addClientOptions(
    dead
      .command('stop')
      .description('Stops a replay or discard; what it has begun goes on.')
      .argument('<id>', 'the id that replay or discard printed')
      .action((id: string, options: ClientOptions) => stop(id, options)),
  );
  addClientOptions(
    dead
      .command('replays')
      .description('Lists replays and discards, the newest first.')
      .action((options: ClientOptions) => replays(options)),
  );
}

function filterOptions(command: Command): Command {
  return command
    .option('--group <fingerprint>', 'only those that died of this error')
    .option('--type <type>', 'only those of this type')
    .option('--queue <name>', 'only those of this queue');
}

function addRedrive(dead: Command, kind: RedriveView['kind']): Command {
  const command = filterOptions(
    dead.command(kind).description(`${kind === 'replay' ? 'Replays' : 'Discards'} all dead jobs that match.`),
  )
    .option('--before <time>', 'only those that died before this time, ISO 8601 with an offset')
    .option('--all', 'without any filter: really all')
    .option('--dry-run', 'only count them')
    .option('--no-wait', 'print the id and return, without waiting for the end');
  if (kind === 'replay')
    command.addOption(
      valueOption('--rate <n>', `jobs per second (default ${defaultRatePerSecond})`, rateKind),
    );
  return addClientOptions(command.action((options: RedriveOptions) => redrive(kind, options)));
}

async function listDead(options: ListOptions): Promise<void> {
  const { group, type, queue, limit, cursor } = options;
  const page = await withServer(options, ({ client }) =>
    client.deadLetters.page({ group, type, queue }, { limit, cursor }),
  );
  if (options.json) {
    process.stdout.write(`${JSON.stringify(page)}\n`);
    return;
  }
  const { groups, items, next, total } = page;
  if (items.length === 0) process.stdout.write('nothing is dead\n');
  else process.stdout.write(`${tableOf(groupColumns, groups)}\n${tableOf(jobColumns, items)}`);
  if (next !== null) process.stderr.write(`sluice: ${total} in all; more with --cursor ${oneLine(next)}\n`);
}

const groupColumns: readonly Column<DeadLetterGroup>[] = [
  { title: 'GROUP', of: ({ group }) => group },
  { title: 'DEAD', of: ({ count }) => count },
  { title: 'FIRST', of: ({ firstAt }) => firstAt },
  { title: 'LAST', of: ({ lastAt }) => lastAt },
  { title: 'TYPE', of: ({ example }) => example.type },
  { title: 'ERROR', of: ({ example }) => `${example.name}: ${example.message}` },
];

const jobColumns: readonly Column<JobSummary>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'TYPE', of: ({ type }) => type },
  { title: 'QUEUE', of: ({ queue }) => queue },
  { title: 'RUN', of: ({ run, attempt }) => `${run}.${attempt}` },
  { title: 'DIED', of: ({ finishedAt }) => finishedAt ?? '' },
  { title: 'GROUP', of: ({ errorGroup }) => errorGroup ?? '' },
  { title: 'ERROR', of: ({ error }) => error?.message ?? '' },
];

async function redrive(kind: RedriveView['kind'], options: RedriveOptions): Promise<void> {
  const filter = filterOf(kind, options);
  const { rate: ratePerSecond, dryRun } = options;
  const end = await withServer(options, async ({ url, client }) => {
    const started = await client.deadLetters[kind](filter, { ratePerSecond, dryRun });
    const { id, matched } = started;
    if (id !== null && options.wait) return watchRedrive(client, url, { id, kind, matched });
    const text = id === null ? `${matched} would be ${past[kind]}` : `${id} ${matched} to ${kind}`;
    process.stdout.write(options.json ? `${JSON.stringify(started)}\n` : `${oneLine(text)}\n`);
    return undefined;
  });
  if (end === undefined) return;
  process.stdout.write(options.json ? `${JSON.stringify(end)}\n` : `${oneLine(summaryOf(end))}\n`);
  if (end.state !== 'done') throw new CommandFailed(oneLine(`${end.state}: ${end.reason ?? ''}`), 1);
}

/** @throws CommandFailed  exit code 2: nothing says which */
function filterOf(kind: string, { group, type, queue, before, all }: RedriveOptions): DeadLetterFilter {
  const given = Object.entries({ group, type, queue, before }).filter(([, value]) => value !== undefined);
  if (given.length === 0 && !all)
    throw new CommandFailed(
      `which ones? Give --group, --type, --queue or --before, or --all to ${kind} all that is dead`,
      2,
    );
  return Object.fromEntries(given);
}

const past = { replay: 'replayed', discard: 'discarded' } as const;

function summaryOf({ kind, matched, done, skipped, failedAgain }: RedriveView): string {
  const counts = [
    `${past[kind]} ${done} of ${matched}`,
    ...(skipped > 0 ? [`passed over ${skipped}`] : []),
    ...(failedAgain > 0 ? [`dead again ${failedAgain}`] : []),
  ];
  return counts.join(', ');
}

async function stop(text: string, options: ClientOptions): Promise<void> {
  const id = idOf(text);
  const view = await withServer(options, ({ client }) => client.deadLetters.stop(id));
  process.stdout.write(
    options.json ? `${JSON.stringify(view)}\n` : `${oneLine(`stopped: ${summaryOf(view)}`)}\n`,
  );
}

async function replays(options: ClientOptions): Promise<void> {
  const views = await withServer(options, ({ client }) => client.deadLetters.redrives());
  process.stdout.write(
    options.json ? views.map((view) => `${JSON.stringify(view)}\n`).join('') : tableOf(redriveColumns, views),
  );
}

const redriveColumns: readonly Column<RedriveView>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'KIND', of: ({ kind }) => kind },
  { title: 'STATE', of: ({ state }) => state },
  { title: 'MATCHED', of: ({ matched }) => matched },
  { title: 'DONE', of: ({ done }) => done },
  { title: 'PASSED OVER', of: ({ skipped }) => skipped },
  { title: 'DEAD AGAIN', of: ({ failedAgain }) => failedAgain },
  { title: 'REASON', of: ({ reason }) => reason ?? '' },
];
