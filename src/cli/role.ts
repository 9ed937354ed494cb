/** From settings to a running service: what `start`, `serve` and `work` share. */
import type { Command } from 'commander';
import { type Config, loadConfig, type Role, readEnvironment } from '../config.js';
import { Invalid } from '../job/errors.js';
import { systemClock } from '../runtime/clock.js';
import { createLog } from '../runtime/log.js';
import { runService } from './run-service.js';
import { CommandFailed } from './terminal.js';

const withoutBroker = `AMQP_URL is not set: this version needs a RabbitMQ (3.10 or later), the built-in engine comes with a later one.
  Where one runs:    AMQP_URL=amqp://user:password@host:5672 sluice start
  On Debian/Ubuntu:  sudo apt-get install -y rabbitmq-server
                     AMQP_URL=amqp://guest:guest@127.0.0.1:5672 sluice start`;

export function addRole(program: Command, role: Role, description: string, example: string): void {
  program
    .command(role)
    .description(description)
    .addHelpText(
      'after',
      `\nSettings come from the environment; the README lists them all.\n\nExample:\n  ${example}`,
    )
    .action(() => runRole(role));
}

async function runRole(role: Role): Promise<void> {
  const config = settingsOf(role);
  const log = createLog(config.logLevel);
  await runService(
    async () => {
      // Only here, so that the client commands do not load the server.
      const { assemble } = await import('../assemble.js');
      return assemble(config, role, log);
    },
    { host: process, log, clock: systemClock },
  );
}

function settingsOf(role: Role): Config {
  try {
    const config = loadConfig(readEnvironment(), role);
    if (config.amqpUrls === undefined) throw new CommandFailed(withoutBroker, 2);
    return config;
  } catch (error) {
    if (error instanceof Invalid) throw new CommandFailed(error.message, 2, { cause: error });
    throw error;
  }
}
