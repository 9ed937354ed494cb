#!/usr/bin/env node
/** The command line's entrance: which commands there are, and how any of them ends. */
import { existsSync, readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addBatch } from './batch.js';
import { addCancel } from './cancel.js';
import { addDead } from './dead.js';
import { addJob } from './job.js';
import { addJobs } from './jobs.js';
import { addMove } from './move.js';
import { addQueues } from './queues.js';
import { addRecord } from './record.js';
import { addServe } from './serve.js';
import { addStart } from './start.js';
import { addSubmit } from './submit.js';
import { CommandFailed, outliveReaders } from './terminal.js';
import { addVerify } from './verify.js';
import { addWork } from './work.js';

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
  for (const add of [
    addStart,
    addServe,
    addWork,
    addRecord,
    addSubmit,
    addBatch,
    addJob,
    addJobs,
    addCancel,
    addQueues,
    addDead,
    addVerify,
    addMove,
  ])
    add(program);
  try {
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
