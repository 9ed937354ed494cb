/** `sluice queues`, `pause` and `resume`: how queues stand, and whether workers take from them. */
import type { Command } from 'commander';
import type { QueueView } from '../api/queues.js';
import { queueNamePattern } from '../job/job.js';
import { ask } from './ask.js';
import { addClientOptions, type ClientOptions, clientOf } from './client-options.js';
import { type Column, tableOf } from './table.js';
import { CommandFailed, oneLine } from './terminal.js';

export function addQueues(program: Command): void {
  const list = program
    .command('queues')
    .description('Shows how the queues stand, and when they will be empty.')
    .action((options: ClientOptions) => queues(options));
  addClientOptions(list).addHelpText(
    'after',
    `
WAITING counts jobs whose time has come, LATER those that are delayed or wait for their next attempt;
IN/S and OUT/S are means over the last minute. With --json, one queue a line.

Example:
  sluice queues`,
  );
  addOrder(program, 'pause', 'Workers finish the jobs they run, and take no more from this queue.');
  addOrder(program, 'resume', 'Workers take jobs from this queue again.');
}

function addOrder(program: Command, order: 'pause' | 'resume', description: string): void {
  const command = program
    .command(order)
    .description(description)
    .argument('<queue>', 'its name, as queues prints it')
    .action((name: string, options: ClientOptions) => give(order, name, options));
  addClientOptions(command).addHelpText(
    'after',
    `
Holds for all workers at once, and after restarts.

Example:
  sluice ${order} mail`,
  );
}

async function queues(options: ClientOptions): Promise<void> {
  const client = clientOf(options);
  const answer = await ask(client, { method: 'GET', path: '/v1/queues', answerMs: 60_000 }, options);
  const views = (Array.isArray(answer['queues']) ? answer['queues'] : []) as QueueView[];
  process.stdout.write(
    options.json ? views.map((view) => `${JSON.stringify(view)}\n`).join('') : tableOf(columns, views),
  );
}

async function give(order: 'pause' | 'resume', name: string, options: ClientOptions): Promise<void> {
  const client = clientOf(options);
  if (!new RegExp(queueNamePattern).test(name))
    throw new CommandFailed('that is no name of a queue: sluice queues lists them', 2);
  const answer = await ask(client, { path: `/v1/queues/${name}/${order}`, answerMs: 60_000 }, options);
  const is = answer['isPaused'] === true ? 'paused' : 'running';
  process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : `${oneLine(`${name} ${is}`)}\n`);
}

const columns: readonly Column<QueueView>[] = [
  { title: 'QUEUE', of: ({ name }) => name },
  { title: 'WAITING', of: ({ depth }) => depth.total },
  { title: 'LATER', of: ({ scheduled }) => scheduled },
  { title: 'ACTIVE', of: ({ active }) => active },
  { title: 'DEAD', of: ({ dead }) => dead },
  { title: 'OLDEST', of: ({ oldestAgeMs }) => (oldestAgeMs === null ? '-' : durationOf(oldestAgeMs)) },
  { title: 'IN/S', of: ({ acceptedPerSecond }) => acceptedPerSecond },
  { title: 'OUT/S', of: ({ drainedPerSecond }) => drainedPerSecond },
  { title: 'EMPTY', of: ({ forecast: { state, emptyInMs } }) => emptyOf(state, emptyInMs) },
];

function emptyOf(state: QueueView['forecast']['state'], emptyInMs: number | null): string {
  return state === 'draining' && emptyInMs !== null ? `in ${durationOf(emptyInMs)}` : state;
}

/** One or two units: `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 1 h`. */
function durationOf(ms: number): string {
  const s = Math.round(ms / 1_000);
  if (s < 1) return `${Math.round(ms)} ms`;
  if (s < 60) return `${s} s`;
  if (s < 3_600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  const min = Math.floor(s / 60);
  if (min < 1_440) return `${Math.floor(min / 60)} h ${min % 60} min`;
  return `${Math.floor(min / 1_440)} d ${Math.floor((min % 1_440) / 60)} h`;
}
