/** `npm test`: sets everything up, runs mocha, and closes with `N passed, N failed`. Arguments name files or folders; options go to mocha. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { findChromium } from './support/chromium.js';
import { createGuard } from './support/guard.js';
import { installChromium } from './support/install-chromium.js';
import { installPostgres } from './support/install-postgres.js';
import { installPrometheus } from './support/install-prometheus.js';
import { installRabbitmq } from './support/install-rabbitmq.js';
import { findPostgres, startPostgres } from './support/postgres.js';
import { hasPrometheus } from './support/prometheus.js';
import { findRabbitmq, startNode } from './support/rabbitmq.js';
import { makeRamFolder } from './support/ram-folder.js';
import type { Counts, Done, Ended, StillOpen, Task } from './support/test-process.js';

/** How long a finished run may take to end; what is left open then is a fault of a test or of the product. */
const ENDING_MS = 10_000;
/** Most tests wait for servers and processes, so two cores carry four. */
const PROCESSES = 4;
/** What takes long, the longest first: so that no process is left alone with one at the end. */
const slow = [
  'test/deploy/image',
  'test/system/',
  'test/cli/move',
  'test/deploy/exercise',
  'test/operations/move',
  'test/broker/rabbitmq/',
  'test/deploy/rabbitmq',
  'test/broker/embedded/conformance',
  'test/deploy/panels',
  'test/store/',
  'test/runtime/',
];

/** These look at the state of a process which others may have changed: each has one of its own, after all others. */
const alone = ['test/observe/active-span.test.ts', 'test/observe/tracing.test.ts'];

const root = fileURLToPath(new URL('..', import.meta.url));

async function main(): Promise<number> {
  const { TEST_AMQP_URL: amqpUrl, TEST_DATABASE_URL: databaseUrl } = process.env;
  if (!amqpUrl && findRabbitmq() === undefined && !installRabbitmq()) return 1;
  if (!databaseUrl && findPostgres() === undefined && !installPostgres()) return 1;
  if (!hasPrometheus() && !installPrometheus()) return 1;
  if (findChromium() === undefined && !installChromium()) return 1;
  process.env['TMPDIR'] ??= makeRamFolder() ?? tmpdir();
  // One broker and one database server for all tests that do them no harm; they start while the product is built.
  const starting = Promise.all([amqpUrl ? undefined : startNode(), databaseUrl ? undefined : startShared()]);
  starting.catch(() => undefined); // awaited below
  const [code] = await once(
    spawn('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' }),
    'close',
  );
  const [node, database] = await starting;
  try {
    if (code !== 0) {
      process.stdout.write('The build failed, no test ran.\n0 passed, 0 failed\n');
      return 1;
    }
    const { counts, isWhole } = await runAll(process.argv.slice(2), {
      TEST_AMQP_URL: node?.url ?? amqpUrl,
      TEST_DATABASE_URL: database?.url ?? databaseUrl,
    });
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
    if (counts.passed + counts.failed === 0) process.stdout.write('No test ran.\n');
    process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${skipped}\n`);
    return isWhole && counts.failed === 0 && counts.passed > 0 ? 0 : 1;
  } finally {
    await Promise.all([node?.remove(), database?.remove()]);
  }
}

/** With connections enough for all processes at once. */
const startShared = () => startPostgres({ settings: { max_connections: '200' } });

interface Run {
  readonly counts: Counts;
  /** All files were run, and every process came to its end. */
  readonly isWhole: boolean;
}

/** Each process takes the next file when it is through with one, so all of them are busy until the end. */
async function runAll(args: readonly string[], servers: NodeJS.ProcessEnv): Promise<Run> {
  const all = inOrder(specsOf(args));
  const files = all.filter((file) => !alone.includes(file));
  const last = all.filter((file) => alone.includes(file));
  const options = args.filter((arg) => arg.startsWith('-'));
  const stopping = stopAtSignal();
  const next = (): string | null => (stopping.aborted ? null : (files.shift() ?? null));
  const count = Math.min(PROCESSES, files.length);
  const runs = await Promise.all(
    Array.from({ length: count }, () => runProcess(options, servers, next, stopping)),
  );
  for (const file of last) {
    const one = [file];
    runs.push(await runProcess(options, servers, () => one.shift() ?? null, stopping));
  }
  const sum = (key: keyof Counts): number => runs.reduce((total, { counts }) => total + counts[key], 0);
  return {
    counts: { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') },
    isWhole: files.length === 0 && !stopping.aborted && runs.every(({ isWhole }) => isWhole),
  };
}

function inOrder(specs: readonly string[]): string[] {
  const slowOnes = slow.flatMap((start) => specs.filter((spec) => spec.startsWith(start)));
  return [...new Set([...slowOnes, ...specs])];
}

/** @param next  the file to run, or null when there is no other */
function runProcess(
  options: readonly string[],
  servers: NodeJS.ProcessEnv,
  next: () => string | null,
  stopping: AbortSignal,
): Promise<Run> {
  const program = join(root, 'test/support/test-process.ts');
  const built = new URL('support/built-product.mjs', import.meta.url).href;
  const node = ['--import', 'tsx', '--import', built, '--enable-source-maps'];
  const child = spawn(process.execPath, [...node, program, ...options], {
    cwd: root,
    detached: true, // a group of its own, so that whatever it leaves behind can be ended
    env: { ...process.env, ...servers },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const guard = createGuard();
  if (child.pid !== undefined) guard.watch([child.pid]);
  if (child.stdout) printBySuite(child.stdout);

  return new Promise((resolve, reject) => {
    const total = { passed: 0, failed: 0, skipped: 0 };
    let file: string | null = null;
    let isOver = false;
    let isLate = false;
    let stillOpen: readonly string[] = ['nothing that its loop could name, it does not turn'];
    let hasEnded = false;
    child.on('message', (message: Done | Ended | StillOpen) => {
      if ('hasEnded' in message) {
        hasEnded = true;
        return;
      }
      if ('stillOpen' in message) {
        stillOpen = message.stillOpen;
        return;
      }
      for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += message.counts[key];
      file = next();
      child.send({ file } satisfies Task);
      if (file !== null) return;
      isOver = true;
      const ending = setTimeout(() => {
        isLate = !hasEnded;
        const what = hasEnded ? 'a thread that does not end' : stillOpen.join(', ');
        process.stdout.write(
          `The tests are over, but after ${ENDING_MS} ms this keeps their process alive: ${what}\n`,
        );
        child.kill('SIGKILL');
      }, ENDING_MS);
      child.once('exit', () => clearTimeout(ending));
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (!isOver)
        process.stdout.write(
          `${file ?? 'The tests'} did not come to an end: ${signal ?? `exit code ${code}`}\n`,
        );
      const isWhole = isOver && (code === 0 || hasEnded) && !isLate;
      void guard.release().then(() => resolve({ counts: total, isWhole }));
    });
    stopping.addEventListener('abort', () => child.kill('SIGKILL'), { once: true });
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
