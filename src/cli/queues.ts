/** `sluice queues`, `pause` and `resume`: how queues stand, and whether workers take from them. */
import type { Command } from 'commander';
import { queueNamePattern } from '../job/job.js';
import { addClientOptions, type ClientOptions } from './client-options.js';
import { flowColumns, nameColumn, waitingColumn } from './queue-columns.js';
import { withServer } from './server.js';
import { tableOf } from './table.js';
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
}

export function addPause(program: Command): void {
  addOrder(program, 'pause', 'Workers finish the jobs they run, and take no more from this queue.');
}

export function addResume(program: Command): void {
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
  const views = await withServer(options, ({ client }) => client.queues.list());
  const columns = [nameColumn, waitingColumn, ...flowColumns];
  process.stdout.write(
    options.json ? views.map((view) => `${JSON.stringify(view)}\n`).join('') : tableOf(columns, views),
  );
}

async function give(order: 'pause' | 'resume', name: string, options: ClientOptions): Promise<void> {
  if (!new RegExp(queueNamePattern).test(name))
    throw new CommandFailed('that is no name of a queue: sluice queues lists them', 2);
  const answer = await withServer(options, ({ client }) => client.queues[order](name));
  const is = answer.isPaused ? 'paused' : 'running';
  process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : `${oneLine(`${name} ${is}`)}\n`);
}
