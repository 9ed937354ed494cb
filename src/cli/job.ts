/** `sluice job`: what became of one job. */
import type { Command } from 'commander';
import { membersOf } from '../api/json-members.js';
import { pathOfJob } from '../client/jobs.js';
import { untilEnded } from '../client/waiting.js';
import { addClientOptions, type ClientOptions } from './client-options.js';
import { idOf, withServer } from './server.js';
import { CommandFailed, oneLine } from './terminal.js';

interface JobOptions extends ClientOptions {
  readonly wait?: true;
}

export function addJob(program: Command): void {
  const command = program
    .command('job')
    .description('Shows what became of a job.')
    .argument('<id>', 'the id that submit printed')
    .option('--wait', 'wait until it has ended; exit code 1 unless it succeeded')
    .action((id: string, options: JobOptions) => job(id, options));
  addClientOptions(command).addHelpText(
    'after',
    `
Examples:
  sluice job 01989f0e-7a3c-7000-8000-000000000001
  sluice job "$(sluice submit echo 1 --json | jq -r .id)" --wait`,
  );
}

async function job(id: string, options: JobOptions): Promise<void> {
  const path = pathOfJob(idOf(id));
  const { body, text } = await withServer(options, ({ requests }) =>
    options.wait ? untilEnded(requests, path, 1) : requests.send({ method: 'GET', path, repeat: 'always' }),
  );
  const answer = body as Readonly<Record<string, unknown>>;
  process.stdout.write(`${options.json ? text : linesOf(answer, text).join('\n')}\n`);
  if (options.wait && answer['state'] !== 'succeeded')
    throw new CommandFailed(`the job is ${oneLine(String(answer['state']))}`, 1);
}

/** A field a line; what is no text stays JSON, as the server has written it. */
function linesOf(answer: Readonly<Record<string, unknown>>, text: string): string[] {
  const { attempts, ...fields } = answer;
  const members = membersOf(text);
  const width = Math.max(...Object.keys(fields).map((name) => name.length));
  const lines = Object.entries(fields).map(
    ([name, value]) => `${name.padEnd(width)}  ${oneLine(textOf(name, value, members.get(name)))}`,
  );
  const failed = Array.isArray(attempts) ? attempts : [];
  return [...lines, ...failed.map((one) => `failed attempt  ${oneLine(attemptText(one))}`)];
}

function textOf(name: string, value: unknown, written = JSON.stringify(value)): string {
  if (name === 'error') return errorText(value);
  return typeof value === 'string' ? value : written;
}

function attemptText(attempt: Readonly<Record<string, unknown>>): string {
  const { run, attempt: number, outcome, endedAt, error } = attempt;
  return `${String(run)}.${String(number)} ${String(outcome)} ${String(endedAt)} ${errorText(error)}`;
}

function errorText(error: unknown): string {
  const { name, message } = error as { name?: unknown; message?: unknown };
  return `${String(name)}: ${String(message)}`;
}
