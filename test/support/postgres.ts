/** Private PostgreSQL servers for tests: own port, own folder, no socket file; gone when the test run is gone. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { accessSync, chownSync, constants, readdirSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from './free-port.js';
import { createGuard, type Guard } from './guard.js';

const run = promisify(execFile);

export interface PostgresServer {
  readonly port: number;
  /** Of an empty database that is there anyway. */
  readonly url: string;
  /** Makes an empty database. @returns its URL */
  createDatabase(): Promise<string>;
  /** As a crash: every connection ends at once, nothing is written in order. Resolves when the server is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the same data; kills it before if it runs. */
  restart(): Promise<void>;
  /** Stops all its processes in their tracks: connections stay open and nobody answers. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Kills it and deletes its data. */
  remove(): Promise<void>;
}

export interface PostgresOptions {
  /** Lines of postgresql.conf, such as `{ fsync: 'on' }`. Without it nothing is synced: tests need no power failure to be survived. */
  readonly settings?: Readonly<Record<string, string>>;
}

const packageFolders = ['/opt/homebrew/opt/postgresql/bin', '/usr/local/opt/postgresql/bin'];
const debianFolder = '/usr/lib/postgresql';

/** The folder of an installed `postgres` and `initdb`, or undefined. */
export function findPostgres(): string | undefined {
  let versions: string[] = [];
  try {
    versions = readdirSync(debianFolder).sort((a, b) => Number(b) - Number(a));
  } catch {}
  const folders = [
    ...versions.map((version) => join(debianFolder, version, 'bin')),
    ...packageFolders,
    ...(process.env['PATH'] ?? '').split(delimiter),
  ];
  return folders.find((folder) => {
    try {
      for (const name of ['postgres', 'initdb']) accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Starts a server and resolves when it accepts connections. `remove` it in `after`; forgotten ones end with this process. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const bin = findPostgres();
  if (bin === undefined) throw new Error('no PostgreSQL found: install it, or set TEST_DATABASE_URL');
  const folder = await mkdtemp(join(tmpdir(), 'sluice-postgres-'));
  const guard = createGuard(folder);
  try {
    return await createServer(bin, folder, guard, options);
  } catch (error) {
    await guard.release();
    throw error;
  }
}

async function createServer(
  bin: string,
  folder: string,
  guard: Guard,
  options: PostgresOptions,
): Promise<PostgresServer> {
  const port = await freePort();
  const user = userBesideRoot();
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const env = { PATH: process.env['PATH'], LANG: 'C.UTF-8', HOME: folder };
  const data = join(folder, 'data');
  await run(
    join(bin, 'initdb'),
    [
      '--pgdata',
      data,
      '--username',
      'sluice',
      '--auth',
      'trust',
      '--encoding',
      'UTF8',
      '--locale',
      'C.UTF-8',
      '--no-sync',
    ],
    { ...user, env, cwd: folder },
  );
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    dynamic_shared_memory_type: 'mmap', // in its folder: what is killed removes none of it elsewhere
    fsync: 'off',
    max_connections: '50',
    logging_collector: 'off',
    ...options.settings,
  };
  const args = [
    '-D',
    data,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  const urlOf = (database: string): string => `postgres://sluice@127.0.0.1:${port}/${database}`;
  let server: ChildProcess | undefined;

  async function boot(): Promise<void> {
    const booting = spawn(join(bin, 'postgres'), args, {
      ...user,
      env,
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    if (booting.pid !== undefined) guard.watch([booting.pid]);
    await booted(booting);
    server = booting;
  }

  async function end(): Promise<void> {
    const ending = server;
    if (ending?.pid === undefined) return;
    server = undefined;
    ending.ref();
    const closed = new Promise<void>((resolve) => ending.once('close', () => resolve()));
    for (const pid of await processesOf(ending.pid)) signal(pid, 'SIGCONT');
    process.kill(ending.pid, 'SIGQUIT'); // "Immediate shutdown": the others are ended at once, the log is replayed at the next start.
    await closed;
  }

  async function signalAll(name: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
    if (server?.pid === undefined) return;
    // Its parent first, which would start others.
    for (const pid of await processesOf(server.pid)) signal(pid, name);
  }

  await boot();
  let databases = 0;
  return {
    port,
    url: urlOf('postgres'),
    async createDatabase() {
      databases += 1;
      const name = `test_${databases}`;
      await createDatabase(urlOf('postgres'), name);
      return urlOf(name);
    },
    kill: end,
    async restart() {
      await end();
      await boot();
    },
    freeze: () => signalAll('SIGSTOP'),
    thaw: () => signalAll('SIGCONT'),
    async remove() {
      await end();
      await guard.release();
    },
  };
}

/** With the order of a language, where the server can: what we sort must not depend on it. */
async function createDatabase(url: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const language = `template template0 locale_provider icu icu_locale 'en-US'`;
    await client
      .query(`create database ${name} ${language}`)
      .catch(() => client.query(`create database ${name}`));
  } finally {
    await client.end();
  }
}

/** PostgreSQL refuses to run as root. */
function userBesideRoot(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((flag) => spawnSync('id', [flag, name], { encoding: 'utf8' }));
    if (uid?.status === 0 && gid?.status === 0) return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  }
  throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody');
}

function booted(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let printed = '';
    const fail = (cause?: Error): void =>
      reject(new Error(`PostgreSQL did not start:\n${printed}`, { cause }));
    const hear = (chunk: string): void => {
      printed += chunk;
      if (!printed.includes('database system is ready to accept connections')) return;
      server.stderr?.off('data', hear);
      server.stderr?.resume(); // a full pipe would stop it
      server.off('error', fail);
      server.off('close', fail);
      (server.stderr as Socket).unref();
      server.unref();
      resolve();
    };
    server.stderr?.setEncoding('utf8').on('data', hear);
    server.once('error', fail);
    server.once('close', () => fail());
  });
}

/** The server's first process and its children, which are in sessions of their own. */
async function processesOf(parent: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=']);
  const children = stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, ppid]) => ppid === parent)
    .map(([pid]) => pid as number);
  return [parent, ...children];
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {} // It has ended by itself.
}

let shared: Promise<PostgresServer> | undefined;
let databasesOfUrl = 0;

/**
 * An empty database for tests that do the server no harm: on TEST_DATABASE_URL, else on one server for the whole run, which ends
 * with the process. @returns its URL
 */
export async function freshDatabase(): Promise<string> {
  const given = process.env['TEST_DATABASE_URL'];
  if (given) {
    databasesOfUrl += 1;
    const url = new URL(given);
    const name = `sluice_test_${process.pid}_${databasesOfUrl}`;
    await createDatabase(given, name);
    url.pathname = `/${name}`;
    return url.href;
  }
  shared ??= startPostgres();
  return (await shared).createDatabase();
}
