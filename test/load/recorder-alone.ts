/** Full life cycles a second from a real recorder queue of RabbitMQ into PostgreSQL: `tsx test/load/recorder-alone.ts [jobs] [events a batch] [writes] [batches between acceptance and end]`. */
import { v7 as uuid } from 'uuid';
import type { JobEvent } from '../../src/job/event.js';
import { encodeBatch } from '../../src/job/event-codec.js';
import { createRecorder } from '../../src/recorder/recorder.js';
import { systemClock as clock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import { createPostgresStore } from '../../src/store/postgres.js';
import { createRabbitBench } from '../broker/rabbitmq/bench.js';
import { startPostgres } from '../support/postgres.js';
import { startNode } from '../support/rabbitmq.js';

const jobs = Number(process.argv[2] ?? 100_000);
const size = Number(process.argv[3] ?? 200);
const writes = Number(process.argv[4] ?? 2);
const behind = Number(process.argv[5] ?? 50);
const log = createLog('warn');

/** As a serve process and a worker send them: acceptances ahead, ends some batches behind. */
function batches(): Buffer[] {
  const atMs = Date.now();
  const ids = Array.from({ length: jobs }, () => uuid());
  const about = {
    type: 'email.send',
    queue: 'default',
    lane: 'normal',
    run: 1,
    attempt: 1,
    dueAtMs: atMs,
  } as const;
  const lag = behind * size;
  const [serve, work] = [uuid(), uuid()];
  const made: Buffer[] = [];
  let seq = 0;
  for (let from = 0; from < jobs + lag; from += size) {
    const told = ids.slice(from, from + size);
    const ended = from >= lag ? ids.slice(from - lag, from - lag + size) : [];
    const accepted: JobEvent[] = told.map((id) => ({ ...about, id, atMs, kind: 'accepted' }));
    const final: JobEvent[] = ended.map((id) => ({
      ...about,
      id,
      atMs: atMs + 50,
      kind: 'succeeded',
      startedAtMs: atMs + 20,
      result: '{"status":200}',
    }));
    seq += 1;
    const common = { seq, host: 'bench 1', atMs, held: 0, isLast: false } as const;
    made.push(encodeBatch({ ...common, source: serve, role: 'serve', events: accepted }));
    made.push(encodeBatch({ ...common, source: work, role: 'work', events: final }));
  }
  return made;
}

const node = await startNode();
const server = await startPostgres({
  settings: { fsync: 'on', shared_buffers: '256MB', max_wal_size: '4GB' },
});
const bench = createRabbitBench(node.url);
const store = createPostgresStore({ url: await server.createDatabase(), connections: writes, clock, log });
try {
  const broker = await bench.open();
  await store.start();
  const made = batches();
  for (let from = 0; from < made.length; from += 256)
    await Promise.all(made.slice(from, from + 256).map((batch) => broker.events.publish(batch).done));
  const recorder = createRecorder({ channel: broker.events, store, writes, clock, log });
  const cpu = process.cpuUsage();
  const from = performance.now();
  await recorder.start();
  while (recorder.stats.recorded < 2 * jobs) await new Promise((resolve) => setTimeout(resolve, 5));
  const seconds = (performance.now() - from) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  process.stdout.write(
    `${jobs} jobs, ${size} events a batch, ${writes} writes, ends ${behind} batches behind: ${Math.round(jobs / seconds)} life cycles/s, ` +
      `${recorder.stats.writes} transactions, own CPU ${((user + system) / 10_000 / seconds).toFixed(0)} %\n`,
  );
  await recorder.stop();
} finally {
  await store.stop();
  await bench.close();
  await server.remove();
  await node.remove();
}
