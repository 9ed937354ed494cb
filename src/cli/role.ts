/** From settings to a running service: what `start`, `serve`, `work` and `record` share. */
import type { Command } from 'commander';
import { secretValuesOf } from '../config/secret-values.js';
import { type Config, loadConfig, type Role, readEnvironment } from '../config.js';
import { Invalid } from '../job/errors.js';
import { systemClock } from '../runtime/clock.js';
import { createLog } from '../runtime/log.js';
import { createMask } from '../runtime/mask.js';
import { runService } from './run-service.js';
import { CommandFailed } from './terminal.js';

const withoutBroker = (
  role: Role,
): string => `AMQP_URL is not set, and without RabbitMQ all is one process: the built-in engine has no \`sluice ${role}\`.
  In one process, without RabbitMQ:  sluice start
  In several, through RabbitMQ:      AMQP_URL=amqp://user:password@host:5672 sluice ${role}
  On Debian/Ubuntu:                  sudo apt-get install -y rabbitmq-server
                                     AMQP_URL=amqp://guest:guest@127.0.0.1:5672 sluice ${role}`;

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
  const secrets = secretValuesOf(config);
  const log = createLog(config.logLevel, { secrets });
  await runService(
    async () => {
      // Only here, so that the client commands do not load the server.
      const { assemble } = await import('../assemble.js');
      return assemble(config, role, log);
    },
    { host: process, log, clock: systemClock, mask: createMask(secrets) },
  );
}

function settingsOf(role: Role): Config {
  try {
    const config = loadConfig(readEnvironment(), role);
    if (role !== 'start' && config.amqpUrls === undefined) throw new CommandFailed(withoutBroker(role), 2);
    return config;
  } catch (error) {
    if (error instanceof Invalid) throw new CommandFailed(error.message, 2, { cause: error });
    throw error;
  }
}
