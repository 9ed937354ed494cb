/** `npm test`: sets everything up, runs mocha, and closes with `N passed, N failed`. Arguments name files or folders; options go to mocha. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import pLimit from 'p-limit';
import { findChromium } from './support/chromium.js';
import type { Counts, StillOpen } from './support/counting-reporter.js';
import { createGuard } from './support/guard.js';
import { installChromium } from './support/install-chromium.js';
import { installPostgres } from './support/install-postgres.js';
import { installPrometheus } from './support/install-prometheus.js';
import { installRabbitmq } from './support/install-rabbitmq.js';
import { findPostgres } from './support/postgres.js';
import { hasPrometheus } from './support/prometheus.js';
import { findRabbitmq, startNode } from './support/rabbitmq.js';

/** How long a finished run may take to end; what is left open then is a fault of a test or of the product. */
const ENDING_MS = 10_000;
/** Most tests wait for servers and processes, so two cores carry three. */
const PROCESSES = 3;
/** What starts brokers and programs again and again begins first, so that no process is left alone with it at the end. */
const slow = ['test/system/', 'test/load/', 'test/broker/rabbitmq/', 'test/operations/move', 'test/cli/move'];
const SLOW_HANDS = 9;
const QUICK_HANDS = 6;

const root = fileURLToPath(new URL('..', import.meta.url));

async function main(): Promise<number> {
  const givenUrl = process.env['TEST_AMQP_URL'];
  if (!givenUrl && findRabbitmq() === undefined && !installRabbitmq()) return 1;
  if (!process.env['TEST_DATABASE_URL'] && findPostgres() === undefined && !installPostgres()) return 1;
  if (!hasPrometheus() && !installPrometheus()) return 1;
  if (findChromium() === undefined && !installChromium()) return 1;
  if (spawnSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' }).status !== 0) {
    process.stdout.write('The build failed, no test ran.\n0 passed, 0 failed\n');
    return 1;
  }

  const node = givenUrl ? undefined : await startNode();
  try {
    const { counts, isWhole } = await runMochas(process.argv.slice(2), givenUrl ?? node?.url ?? '');
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

const notRun: Run = { counts: { passed: 0, failed: 0, skipped: 0 }, isWhole: false };

/** The files are dealt out like cards, so that what lies in one folder, and takes as long, is shared. */
async function runMochas(args: readonly string[], amqpUrl: string): Promise<Run> {
  const specs = specsOf(args);
  const options = args.filter((arg) => arg.startsWith('-'));
  const isSlow = (spec: string): boolean => slow.some((start) => spec.startsWith(start));
  const hands = [
    ...dealt(specs.filter(isSlow), SLOW_HANDS),
    ...dealt(
      specs.filter((spec) => !isSlow(spec)),
      QUICK_HANDS,
    ),
  ];
  const inTurn = pLimit(PROCESSES);
  const stopping = stopAtSignal();
  const runs = await inTurn.map(hands, (hand) =>
    stopping.aborted ? notRun : runMocha([...options, ...hand], amqpUrl, stopping),
  );
  const sum = (key: keyof Counts): number => runs.reduce((total, { counts }) => total + counts[key], 0);
  return {
    counts: { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') },
    isWhole: runs.every(({ isWhole }) => isWhole),
  };
}

/** At most so many hands, of two files or more each. */
function dealt(specs: readonly string[], most: number): string[][] {
  const count = Math.min(most, Math.ceil(specs.length / 2));
  return Array.from({ length: count }, (_, hand) => specs.filter((_spec, i) => i % count === hand));
}

function runMocha(args: readonly string[], amqpUrl: string, stopping: AbortSignal): Promise<Run> {
  const cli = fileURLToPath(import.meta.resolve('mocha/lib/cli/cli.js'));
  const reporter = join(root, 'test/support/counting-reporter.ts');
  const mocha = spawn(
    process.execPath,
    ['--import', 'tsx', '--enable-source-maps', cli, '--reporter', reporter, ...args],
    {
      cwd: root,
      detached: true, // a group of its own, so that whatever it leaves behind can be ended
      env: { ...process.env, TEST_AMQP_URL: amqpUrl },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    },
  );
  const guard = createGuard();
  if (mocha.pid !== undefined) guard.watch([mocha.pid]);
  if (mocha.stdout) printBySuite(mocha.stdout);

  return new Promise((resolve, reject) => {
    let counts: Counts | undefined;
    let isLate = false;
    let stillOpen: readonly string[] = ['nothing that its loop could name, it does not turn'];
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
    mocha.once('close', (code, signal) => {
      if (counts === undefined)
        process.stdout.write(`The tests did not come to their end: ${signal ?? `exit code ${code}`}\n`);
      const isWhole = counts !== undefined && code === 0 && !isLate;
      void guard
        .release()
        .then(() => resolve({ counts: counts ?? { passed: 0, failed: 0, skipped: 0 }, isWhole }));
    });
    stopping.addEventListener('abort', () => mocha.kill('SIGKILL'), { once: true });
  });
}

/** Aborted by a signal: what runs is ended, and nothing more begins. */
function stopAtSignal(): AbortSignal {
  const stopping = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => stopping.abort());
  return stopping.signal;
}

/** Passes output on in whole suites, between which mocha leaves a line empty: those of several processes stay apart. */
function printBySuite(output: Readable): void {
  let held = '';
  output.setEncoding('utf8');
  output.on('data', (text: string) => {
    held += text;
    const end = held.lastIndexOf('\n\n') + 2;
    if (end < 2) return;
    process.stdout.write(held.slice(0, end));
    held = held.slice(end);
  });
  output.on('end', () => process.stdout.write(held));
}

/** All tests unless some are named; a folder stands for the tests below it. */
function specsOf(args: readonly string[]): string[] {
  const named = args.filter((arg) => !arg.startsWith('-') && existsSync(join(root, arg)));
  return (named.length > 0 ? named : ['test']).flatMap((name) =>
    statSync(join(root, name)).isDirectory()
      ? readdirSync(join(root, name), { recursive: true, encoding: 'utf8' })
          .filter((file) => file.endsWith('.test.ts'))
          .sort()
          .map((file) => join(name, file))
      : [name],
  );
}

process.exitCode = await main();
