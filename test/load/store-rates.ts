/** Full life cycles a second through `records.record`, fold included: `tsx test/load/store-rates.ts [jobs] [rows a batch]`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { v7 as uuid } from 'uuid';
import type { JobEvent } from '../../src/job/event.js';
import { fold } from '../../src/job/fold.js';
import { systemClock as clock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import { createPostgresStore } from '../../src/store/postgres.js';
import type { SqlStore } from '../../src/store/sql-store.js';
import { createSqliteStore } from '../../src/store/sqlite.js';
import { startPostgres } from '../support/postgres.js';

const jobs = Number(process.argv[2] ?? 100_000);
const size = Number(process.argv[3] ?? 500);
const log = createLog('silent');

function eventsOf(count: number): { accepted: JobEvent[]; final: JobEvent[] } {
  const accepted: JobEvent[] = [];
  const final: JobEvent[] = [];
  for (let i = 0; i < count; i++) {
    const atMs = Date.now();
    const about = {
      id: uuid(),
      type: 'email.send',
      queue: 'default',
      lane: 'normal',
      run: 1,
      attempt: 1,
    } as const;
    accepted.push({
      ...about,
      dueAtMs: atMs,
      atMs,
      kind: 'accepted',
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    });
    final.push({
      ...about,
      dueAtMs: atMs,
      atMs: atMs + 50,
      kind: 'succeeded',
      startedAtMs: atMs + 20,
      result: '{"status":200}',
    });
  }
  return { accepted, final };
}

async function measure(name: string, store: SqlStore, recorders: number): Promise<void> {
  await store.start();
  const { accepted, final } = eventsOf(jobs);
  let seq = 0;
  const recordAll = async (events: readonly JobEvent[]): Promise<void> => {
    let next = 0;
    const one = async (): Promise<void> => {
      while (next < events.length) {
        const batch = events.slice(next, next + size);
        next += size;
        seq += 1;
        await store.records.record({
          receipts: [
            {
              source: 'bench',
              seq,
              role: 'work',
              host: 'h',
              atMs: 0,
              held: 0,
              isLast: false,
              accepted: 0,
              acceptedAgain: 0,
            },
          ],
          flow: [
            {
              queue: 'default',
              bucketMs: 0,
              accepted: size,
              succeeded: 0,
              retried: 0,
              dead: 0,
              cancelled: 0,
            },
          ],
          ...fold(batch),
        });
      }
    };
    await Promise.all(Array.from({ length: recorders }, one));
  };
  const times: number[] = [];
  for (const events of [accepted, final]) {
    const from = performance.now();
    await recordAll(events);
    times.push((performance.now() - from) / 1000);
  }
  const [first = 0, second = 0] = times;
  const rate = (seconds: number): string => Math.round(jobs / seconds).toLocaleString('en');
  process.stdout.write(
    `${name}: accepted ${rate(first)} rows/s, final ${rate(second)} rows/s, life cycles ${rate(first + second)}/s\n`,
  );
  for (const [what, read] of Object.entries({
    counts: () => store.jobs.counts(Date.now()),
    list: () => store.jobs.list({}, { limit: 50, nowMs: Date.now() }),
    'list succeeded': () => store.jobs.list({ state: 'succeeded' }, { limit: 50, nowMs: Date.now() }),
    'list queued': () => store.jobs.list({ state: 'queued' }, { limit: 50, nowMs: Date.now() }),
    'list rare queue': () => store.jobs.list({ queue: 'rare' }, { limit: 50, nowMs: Date.now() }),
    'dead groups': () => store.jobs.deadGroups({}, 50),
  })) {
    const from = performance.now();
    await read();
    process.stdout.write(`  ${what}: ${(performance.now() - from).toFixed(1)} ms\n`);
  }
  await store.stop();
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-store-bench-'));
const server = await startPostgres({
  settings: { fsync: 'on', shared_buffers: '256MB', max_wal_size: '4GB' },
});
try {
  const failed = (): void => {};
  for (const recorders of [1, 2]) {
    const where = join(folder, String(recorders));
    await measure(
      `sqlite, ${recorders} at once`,
      createSqliteStore({ folder: where, clock, log, failed }),
      recorders,
    );
    const url = await server.createDatabase();
    await measure(
      `postgres, ${recorders} connections`,
      createPostgresStore({ url, connections: recorders, clock, log }),
      recorders,
    );
  }
} finally {
  await server.remove();
  rmSync(folder, { recursive: true, force: true });
}
