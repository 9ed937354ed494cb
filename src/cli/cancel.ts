/** `sluice cancel`: asks for the end of a job. */
import type { Command } from 'commander';
import { addClientOptions, type ClientOptions } from './client-options.js';
import { idOf, withServer } from './server.js';
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

async function cancel(text: string, options: ClientOptions): Promise<void> {
  const id = idOf(text);
  const answer = await withServer(options, ({ client }) => client.cancel(id));
  const said = options.json ? JSON.stringify(answer) : oneLine(`${answer.id} cancel requested`);
  process.stdout.write(`${said}\n`);
}
