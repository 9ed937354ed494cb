/** The options that all client commands share, and numbers as options. */
import { type Command, Option } from 'commander';
import { clientKey } from '../config/api-keys.js';
import { type Kind, wholeNumber } from '../config/kinds.js';
import type { Secret } from '../config/secret.js';
import { serverUrl } from '../config/urls.js';
import { type ClientConfig, loadClientConfig, readEnvironment } from '../config.js';
import { Invalid } from '../job/errors.js';
import { CommandFailed } from './terminal.js';

export interface ClientOptions {
  readonly url?: string;
  readonly apiKey?: Secret;
  readonly json?: true;
}

export function addClientOptions(command: Command): Command {
  return command
    .addOption(
      valueOption('--url <url>', 'the server (or SLUICE_URL; default http://127.0.0.1:8080)', serverUrl),
    )
    .addOption(
      valueOption(
        '--api-key <key>',
        'the key to show (or SLUICE_API_KEY, which other users of the machine cannot see)',
        clientKey,
      ),
    )
    .option('--json', 'print JSON on stdout');
}

export function wholeNumberOption(flags: string, description: string, least: number, most: number): Option {
  return valueOption(flags, description, wholeNumber(least, most));
}

/** An option whose value is of a kind of setting. Commander's own InvalidArgumentError would print the value, which may be a key or hold a password. */
export function valueOption(flags: string, description: string, kind: Kind<unknown>): Option {
  const made = new Option(flags, description);
  return made.argParser((text) => {
    const parsed = kind.parse(text);
    if ('value' in parsed) return parsed.value;
    throw new CommandFailed(`${made.long}: ${parsed.fault}; expected ${kind.expects.replaceAll('`', '')}`, 2);
  });
}

/** @throws CommandFailed  exit code 2, where the environment is at fault */
export function clientOf({ url, apiKey }: ClientOptions): ClientConfig {
  try {
    return loadClientConfig(readEnvironment(), {
      ...(url === undefined ? {} : { url }),
      ...(apiKey === undefined ? {} : { apiKey }),
    });
  } catch (error) {
    if (error instanceof Invalid) throw new CommandFailed(error.message, 2, { cause: error });
    throw error;
  }
}
