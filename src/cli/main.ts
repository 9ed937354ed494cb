#!/usr/bin/env node
/** The command line's entrance: which commands there are, and how any of them ends. */
import { existsSync, readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { CommandFailed, outliveReaders } from './terminal.js';

/** In the order of the help. */
const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  start: async () => (await import('./start.js')).addStart,
  serve: async () => (await import('./serve.js')).addServe,
  work: async () => (await import('./work.js')).addWork,
  record: async () => (await import('./record.js')).addRecord,
  submit: async () => (await import('./submit.js')).addSubmit,
  batch: async () => (await import('./batch.js')).addBatch,
  job: async () => (await import('./job.js')).addJob,
  jobs: async () => (await import('./jobs.js')).addJobs,
  cancel: async () => (await import('./cancel.js')).addCancel,
  queues: async () => (await import('./queues.js')).addQueues,
  pause: async () => (await import('./queues.js')).addPause,
  resume: async () => (await import('./queues.js')).addResume,
  top: async () => (await import('./top.js')).addTop,
  dead: async () => (await import('./dead.js')).addDead,
  verify: async () => (await import('./verify.js')).addVerify,
  move: async () => (await import('./move.js')).addMove,
};

/** A command that is named is loaded alone; help, and the advice on a name that is wrong, take all of them. */
async function addCommands(program: Command, name: string | undefined): Promise<void> {
  if (name === '--version' || name === '-V') return;
  const named = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  const loads = named === undefined ? Object.values(commands) : [named];
  for (const add of await Promise.all(loads.map((load) => load()))) add(program);
}

/** The package's own file stands above both `src` and `dist`. */
function ownVersion(): string {
  for (let folder = new URL('./', import.meta.url); ; folder = new URL('../', folder)) {
    const file = new URL('package.json', folder);
    if (existsSync(file)) return String(JSON.parse(readFileSync(file, 'utf8')).version);
    if (folder.pathname === '/') return 'unknown';
  }
}

/** The exit code; undefined where a service goes on running and exits by itself. */
async function run(argv: readonly string[]): Promise<number | undefined> {
  const program = new Command('sluice')
    .description(
      'A peak-shaving job queue: takes the burst over HTTP, drains it at the pace your workers can bear.',
    )
    .version(ownVersion())
    .helpOption('-h, --help', 'show this help')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong usage or settings.');
  try {
    await addCommands(program, argv[2]);
    await program.parseAsync([...argv]);
    return undefined;
  } catch (error) {
    // Commander has printed its message by itself, and throws to end help and version, too.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const isOurs = error instanceof CommandFailed;
    const text = isOurs
      ? error.message
      : `a fault of Sluice itself: ${error instanceof Error ? error.stack : String(error)}`;
    process.stderr.write(`sluice: ${text}\n`);
    return isOurs ? error.exitCode : 1;
  }
}

outliveReaders(process);
const exitCode = await run(process.argv);
if (exitCode !== undefined) process.exitCode = exitCode;
