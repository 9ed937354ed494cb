/** A private Redis for the bench, durable as BullMQ's documentation asks for: own port, own folder; gone when its starter is gone. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { createGuard } from './guard.js';
import { installPackage } from './install-package.js';

export interface RedisServer {
  readonly port: number;
  /** Kills it and deletes its data. */
  remove(): Promise<void>;
}

const advice = `This bench compares with BullMQ and needs a redis-server on the PATH; it need not run. Install it and try again:
  Debian, Ubuntu:  apt-get install redis-server
  macOS:           brew install redis
`;

/** Installs a redis-server where that is possible. @returns whether there is one; if not, what to do was printed */
export function ensureRedis(): boolean {
  const isThere = spawnSync('redis-server', ['--version']).error === undefined;
  return isThere || installPackage('redis-server', advice);
}

/** When the append-only file is synced: each second, which a crash of the machine can lose, or before each answer. */
export type AppendFsync = 'everysec' | 'always';

/** Append-only file and no eviction (docs.bullmq.io/guide/going-to-production); no snapshots beside it. */
const settings = {
  bind: '127.0.0.1',
  appendonly: 'yes',
  save: '',
  'maxmemory-policy': 'noeviction',
};

/** Resolves when it accepts connections. @throws Error  it did not start */
export async function startRedis(appendfsync: AppendFsync): Promise<RedisServer> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-redis-'));
  const guard = createGuard(folder);
  const args = Object.entries({ ...settings, appendfsync, port: String(port), dir: folder }).flatMap(
    ([name, value]) => [`--${name}`, value],
  );
  const server = spawn('redis-server', args, { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  if (server.pid !== undefined) guard.watch([server.pid]);
  try {
    await new Promise<void>((resolve, reject) => {
      let printed = '';
      const fail = (cause?: unknown): void =>
        reject(new Error(`redis-server did not start:\n${printed}`, { cause }));
      server.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        printed += chunk;
        if (printed.includes('Ready to accept connections')) resolve();
      });
      server.once('error', fail);
      server.once('close', () => fail());
    });
  } catch (error) {
    await guard.release();
    throw error;
  }
  server.stdout.removeAllListeners('data').resume(); // a full pipe would stop it
  (server.stdout as Socket).unref();
  server.unref();
  return { port, remove: () => guard.release() };
}
