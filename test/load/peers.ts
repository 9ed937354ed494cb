/** Other job queues, set up as their own documentation has it: what takes jobs in behind a Koa route, and what works them off. */
import { Queue } from 'bullmq';
import pg from 'pg';
import PgBoss from 'pg-boss';
import { freePort } from '../support/free-port.js';
import { type PostgresServer, startPostgres } from '../support/postgres.js';
import { type AppendFsync, startRedis } from '../support/redis.js';
import type { Sluice } from '../support/sluice.js';
import { BATCH, job } from './bench-plan.js';
import { type RunningRole, startProgram } from './product.js';

export interface Peer {
  /** With what it keeps its jobs in. */
  readonly name: string;
  /** @param concurrency  of a worker in the same process; absent: none */
  startServer(concurrency?: number): Promise<RunningRole>;
  startWorker(concurrency: number): Promise<Sluice>;
  /** Adds so many batches, in bulk. */
  fill(batches: number): Promise<void>;
  /** Jobs that have not ended. */
  depth(): Promise<number>;
  /** How often that may be asked without being felt. */
  readonly pollMs: number;
  empty(): Promise<void>;
  /** Ends its server of data, too. */
  remove(): Promise<void>;
}

const QUEUE = 'bench';

export async function startBullmq(appendfsync: AppendFsync = 'everysec'): Promise<Peer> {
  const redis = await startRedis(appendfsync);
  const queue = new Queue(QUEUE, { connection: { host: '127.0.0.1', port: redis.port } });
  const place = { REDIS_PORT: String(redis.port), QUEUE };
  return {
    name: `BullMQ, Redis AOF ${appendfsync}`,
    startServer: (concurrency) => serverOf('reference-bullmq-server.ts', place, concurrency),
    startWorker: (concurrency) =>
      startProgram('reference-bullmq-worker.ts', { ...place, CONCURRENCY: String(concurrency) }),
    async fill(batches) {
      const batch = Array.from({ length: BATCH }, () => ({
        name: job.type,
        data: job.payload,
        opts: { removeOnComplete: true },
      }));
      for (let sent = 0; sent < batches; sent++) await queue.addBulk(batch);
    },
    depth: () => queue.getJobCountByTypes('waiting', 'active'),
    pollMs: 50,
    empty: () => queue.obliterate({ force: true }),
    async remove() {
      await queue.close();
      await redis.remove();
    },
  };
}

/** Synced at each commit, as PostgreSQL comes. @param postgres  to which nobody else writes meanwhile */
export async function startPgBoss(postgres: PostgresServer): Promise<Peer> {
  const url = await postgres.createDatabase();
  const boss = new PgBoss(url);
  boss.on('error', () => {}); // What matters rejects, too.
  await boss.start();
  await boss.createQueue(QUEUE);
  const pool = new pg.Pool({ connectionString: url });
  const place = { DATABASE_URL: url, QUEUE };
  return {
    name: 'pg-boss, PostgreSQL',
    startServer: () => serverOf('reference-pgboss-server.ts', place),
    startWorker: () => startProgram('reference-pgboss-worker.ts', place),
    async fill(batches) {
      const batch = Array.from({ length: BATCH }, () => ({ name: QUEUE, data: job.payload }));
      for (let sent = 0; sent < batches; sent++) await boss.insert(batch);
      await pool.query('vacuum analyze pgboss.job');
    },
    depth: () => boss.getQueueSize(QUEUE, { before: 'completed' }),
    pollMs: 200,
    empty: () => boss.clearStorage(),
    async remove() {
      await boss.stop({ graceful: false });
      await pool.end();
    },
  };
}

/** PostgreSQL as it is set up for a bench. */
export function startBenchPostgres(): Promise<PostgresServer> {
  return startPostgres({ settings: { fsync: 'on', shared_buffers: '256MB', max_wal_size: '4GB' } });
}

async function serverOf(
  program: string,
  place: Readonly<Record<string, string>>,
  concurrency?: number,
): Promise<RunningRole> {
  const port = await freePort();
  const process = await startProgram(program, {
    ...place,
    PORT: String(port),
    ...(concurrency === undefined ? {} : { CONCURRENCY: String(concurrency) }),
  });
  return { url: `http://127.0.0.1:${port}`, process };
}
