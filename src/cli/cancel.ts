/** `sluice cancel`: asks for the end of a job. */
import type { Command } from 'commander';
import { ask } from './ask.js';
import { addClientOptions, type ClientOptions, clientOf } from './client-options.js';
import { jobPath } from './job-path.js';
import { oneLine } from './terminal.js';

export function addCancel(program: Command): void {
  const command = program
    .command('cancel')
    .description('Cancels a job that has not ended; one that runs is told by its signal.')
    .argument('<id>', 'the id that submit printed')
    .action((id: string, options: ClientOptions) => cancel(id, options));
  addClientOptions(command).addHelpText(
    'after',
    `
Example:
  sluice cancel 01989f0e-7a3c-7000-8000-000000000001`,
  );
}

async function cancel(id: string, options: ClientOptions): Promise<void> {
  const client = clientOf(options);
  const answer = await ask(client, { path: `${jobPath(id)}/cancel`, answerMs: 60_000 }, options);
  const text = options.json ? JSON.stringify(answer) : oneLine(`${String(answer['id'])} cancel requested`);
  process.stdout.write(`${text}\n`);
}
