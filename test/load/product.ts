/** The product's services as child processes, as a user runs them, on a topology of their own. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { sleep, systemClock } from '../../src/runtime/clock.js';
import { freePort } from '../support/free-port.js';
import { installPostgres } from '../support/install-postgres.js';
import { installRabbitmq } from '../support/install-rabbitmq.js';
import { findPostgres } from '../support/postgres.js';
import { findRabbitmq } from '../support/rabbitmq.js';
import { ensureRedis } from '../support/redis.js';
import { entry, type Sluice, startProcess } from '../support/sluice.js';

export interface RunningRole {
  readonly url: string;
  readonly process: Sluice;
}

export interface Place {
  readonly amqpUrl: string;
  readonly prefix: string;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const READY_POLL_MS = 50;
/** As `npm start` and the image have it, and for the references, too: see src/DECISIONS.md. */
const nodeFlags = ['--max-semi-space-size=32'];

/** `sluice …`, as in `npm start`. */
function startSluice(args: readonly string[], settings: Readonly<Record<string, string>>): Sluice {
  return startProcess([...nodeFlags, entry, ...args], settings);
}

/** Builds the product and makes sure that there are the servers to start; otherwise says what to do and ends the process. */
export function prepare(needs: {
  readonly rabbitmq?: boolean;
  readonly postgres?: boolean;
  readonly redis?: boolean;
}): void {
  const isBuilt =
    spawnSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: 'inherit' }).status === 0;
  const hasRabbitmq = needs.rabbitmq !== true || findRabbitmq() !== undefined || installRabbitmq();
  const hasPostgres = needs.postgres !== true || findPostgres() !== undefined || installPostgres();
  const hasRedis = needs.redis !== true || ensureRedis();
  if (!isBuilt || !hasRabbitmq || !hasRedis || !hasPostgres) process.exit(1);
}

/** The same with recording or without (`unrecorded.ts`), in a process that is started alike; resolves when `/readyz` says 200. */
export async function startMeasured(
  role: 'serve' | 'work' | 'start',
  isRecorded: boolean,
  settings: Readonly<Record<string, string>>,
): Promise<RunningRole> {
  const port = await freePort();
  const file = fileURLToPath(new URL('unrecorded.ts', import.meta.url));
  const env = { [role === 'work' ? 'WORKER_PORT' : 'PORT']: String(port), LOG_LEVEL: 'warn', ...settings };
  const argv = [...nodeFlags, '--import', 'tsx', file, role, isRecorded ? 'on' : 'off'];
  return untilReady(`sluice ${role}`, startProcess(argv, env, { cwd: root }), port);
}

/** `sluice serve`, `sluice work` or `sluice record`; resolves when `/readyz` says 200. */
export async function startRole(
  role: 'serve' | 'work' | 'record',
  place: Place,
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningRole> {
  const port = await freePort();
  const child = startSluice([role], {
    AMQP_URL: place.amqpUrl,
    AMQP_PREFIX: place.prefix,
    [role === 'serve' ? 'PORT' : 'WORKER_PORT']: String(port),
    ...settings,
  });
  return untilReady(`sluice ${role}`, child, port);
}

/** `sluice record`; resolves when `/readyz` says 200. */
export async function launchRecorder(settings: Readonly<Record<string, string>>): Promise<RunningRole> {
  const port = await freePort();
  return untilReady(
    'sluice record',
    startSluice(['record'], { ...settings, WORKER_PORT: String(port) }),
    port,
  );
}

/** `sluice start` on the built-in engine, its jobs in `dataDir`; resolves when `/readyz` says 200. */
export async function startEmbedded(
  dataDir: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningRole> {
  const port = await freePort();
  return untilReady('sluice start', launchEmbedded(dataDir, port, settings), port);
}

/** The same, not waited for. */
export function launchEmbedded(
  dataDir: string,
  port: number,
  settings: Readonly<Record<string, string>> = {},
): Sluice {
  return startSluice(['start'], { DATA_DIR: dataDir, PORT: String(port), LOG_LEVEL: 'warn', ...settings });
}

/** @throws Error  it ended before it was ready */
export async function untilReady(name: string, child: Sluice, port: number): Promise<RunningRole> {
  const url = `http://127.0.0.1:${port}`;
  let hasEnded = false;
  void child.exited.finally(() => {
    hasEnded = true;
  });
  while (!(await isReady(url))) {
    if (hasEnded) throw new Error(`${name} ended:\n${[...child.stdout, ...child.stderr].join('\n')}`);
    await sleep(systemClock, READY_POLL_MS);
  }
  return { url, process: child };
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).status === 200;
  } catch {
    return false; // not listening yet
  }
}

/** A program of this folder in a process of its own; resolves when it prints a line that starts with `ready`. */
export async function startProgram(name: string, env: Readonly<Record<string, string>>): Promise<Sluice> {
  const file = fileURLToPath(new URL(name, import.meta.url));
  const child = startProcess([...nodeFlags, '--import', 'tsx', file], env, { cwd: root });
  await child.waitForLine(/^ready/);
  return child;
}

/** Asks a process to end, waits for it, and ends it by force when it takes too long. */
export async function end(child: Sluice): Promise<void> {
  const force = setTimeout(() => child.kill('SIGKILL'), 10_000);
  child.kill('SIGTERM');
  await child.exited;
  clearTimeout(force);
}
