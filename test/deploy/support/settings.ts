/** Environments as the code judges them: what a container gets must be settings, all of them known, and fit its role. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { settings } from '../../../src/config/settings.js';
import { type Config, loadConfig, type Role } from '../../../src/config.js';

const known = Object.values(settings);
const names = new Set([
  ...known.map(({ name }) => name),
  ...known.filter(({ isSecret }) => isSecret).map(({ name }) => `${name}_FILE`),
  'NODE_ENV', // Node's libraries read it
]);

/** What a secret of this name may hold. */
export const samples: Readonly<Record<string, string>> = {
  'amqp-url': 'amqp://sluice:secret@a:5672,b:5672/vhost',
  'database-url': 'postgres://sluice:secret@postgres:5432/sluice',
  'api-keys': `shop:submit:${'ab'.repeat(32)}`,
};

/**
 * Reads an environment as a process of this role would. A path in `<NAME>_FILE` stands for a file that holds the sample of its name.
 * @throws Error  a name is no setting, or a value not one that it takes
 */
export function configOf(env: Readonly<Record<string, string>>, role: Role): Config {
  const strangers = Object.keys(env).filter((name) => !names.has(name));
  if (strangers.length > 0) throw new Error(`no settings: ${strangers.join(', ')}`);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-secrets-'));
  try {
    const here = Object.entries(env).map(([name, value]) => {
      if (!name.endsWith('_FILE')) return [name, value];
      const sample = samples[basename(value)];
      if (sample === undefined) throw new Error(`${name}: there is no secret ${basename(value)}`);
      writeFileSync(join(folder, basename(value)), `${sample}\n`);
      return [name, join(folder, basename(value))];
    });
    return loadConfig(Object.fromEntries(here), role);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** From the SIGTERM to the end of a worker, at worst: what SHUTDOWN_GRACE_MS leaves out are aborts, last settles, events and goodbyes. */
export const STOP_BEYOND_GRACE_MS = 20_000;

export const roles = ['serve', 'work', 'record'] as const;
