/** `npm test`: sets everything up, runs mocha, and closes with `N passed, N failed`. Arguments go to mocha; folders are searched. */
import { spawn, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Counts, StillOpen } from './support/counting-reporter.js';
import { createGuard } from './support/guard.js';
import { installPostgres } from './support/install-postgres.js';
import { installRabbitmq } from './support/install-rabbitmq.js';
import { findPostgres } from './support/postgres.js';
import { findRabbitmq, startNode } from './support/rabbitmq.js';

/** How long a finished run may take to end; what is left open then is a fault of a test or of the product. */
const ENDING_MS = 10_000;

const root = fileURLToPath(new URL('..', import.meta.url));

async function main(): Promise<number> {
  const givenUrl = process.env['TEST_AMQP_URL'];
  if (!givenUrl && findRabbitmq() === undefined && !installRabbitmq()) return 1;
  if (!process.env['TEST_DATABASE_URL'] && findPostgres() === undefined && !installPostgres()) return 1;
  if (spawnSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' }).status !== 0) {
    process.stdout.write('The build failed, no test ran.\n0 passed, 0 failed\n');
    return 1;
  }

  const node = givenUrl ? undefined : await startNode();
  try {
    const { counts, isWhole } = await runMocha(process.argv.slice(2), givenUrl ?? node?.url ?? '');
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
    if (counts.passed + counts.failed === 0) process.stdout.write('No test ran.\n');
    process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${skipped}\n`);
    return isWhole && counts.failed === 0 && counts.passed > 0 ? 0 : 1;
  } finally {
    await node?.remove();
  }
}

interface Run {
  readonly counts: Counts;
  /** Mocha came to its end, its process too, and neither complained. */
  readonly isWhole: boolean;
}

function runMocha(args: readonly string[], amqpUrl: string): Promise<Run> {
  const cli = fileURLToPath(import.meta.resolve('mocha/lib/cli/cli.js'));
  const reporter = join(root, 'test/support/counting-reporter.ts');
  const mocha = spawn(
    process.execPath,
    ['--import', 'tsx', '--enable-source-maps', cli, '--reporter', reporter, ...withSpecs(args)],
    {
      cwd: root,
      detached: true, // a group of its own, so that whatever it leaves behind can be ended
      env: { ...process.env, TEST_AMQP_URL: amqpUrl },
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    },
  );
  const guard = createGuard();
  if (mocha.pid !== undefined) guard.watch([mocha.pid]);

  return new Promise((resolve, reject) => {
    let counts: Counts | undefined;
    let isLate = false;
    let stillOpen: readonly string[] = [];
    mocha.on('message', (message: Counts | StillOpen) => {
      if ('stillOpen' in message) {
        stillOpen = message.stillOpen;
        return;
      }
      counts = message;
      const ending = setTimeout(() => {
        isLate = true;
        process.stdout.write(
          `The tests are over, but after ${ENDING_MS} ms this keeps their process alive: ${stillOpen.join(', ')}\n`,
        );
        mocha.kill('SIGKILL');
      }, ENDING_MS);
      mocha.once('exit', () => clearTimeout(ending));
    });
    mocha.once('error', reject);
    mocha.once('exit', (code, signal) => {
      if (counts === undefined)
        process.stdout.write(`The tests did not come to their end: ${signal ?? `exit code ${code}`}\n`);
      const isWhole = counts !== undefined && code === 0 && !isLate;
      void guard
        .release()
        .then(() => resolve({ counts: counts ?? { passed: 0, failed: 0, skipped: 0 }, isWhole }));
    });
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(name, () => mocha.kill('SIGKILL'));
    }
  });
}

/** All tests unless some are named; a folder stands for the tests below it. */
function withSpecs(args: readonly string[]): string[] {
  let hasSpec = false;
  const expanded = args.map((arg) => {
    if (arg.startsWith('-')) return arg;
    const kind = statSync(join(root, arg), { throwIfNoEntry: false });
    hasSpec ||= kind !== undefined || arg.includes('*');
    return kind?.isDirectory() ? join(arg, '**/*.test.ts') : arg;
  });
  return hasSpec ? expanded : [...expanded, 'test/**/*.test.ts'];
}

process.exitCode = await main();
