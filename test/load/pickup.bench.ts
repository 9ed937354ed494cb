/** How soon a job begins when nothing is in its way: from the moment its request was to leave to its handler, at a steady trickle. */
import { fdatasyncSync, writeSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep, systemClock } from '../../src/runtime/clock.js';
import { freePort } from '../support/free-port.js';
import type { AppendFsync } from '../support/redis.js';
import type { Sluice } from '../support/sluice.js';
import { laneOf, type RabbitPlan } from './bench-plan.js';
import { createLatencies, runOpenLoop } from './open-loop.js';
import { startBullmq } from './peers.js';
import { end, startEmbedded, startProgram, startRole } from './product.js';
import { type Comparison, median } from './report.js';
import { rotated } from './turns.js';

const PER_SECOND = 100;
/** As in a service that has been up for a while: at the rate that is measured, V8 would still be compiling after several rounds. */
const WARM_UP = { perSecond: 1000, seconds: 3 };
const GOAL = 1;
const HANDLERS = fileURLToPath(new URL('pickup-handlers.mjs', import.meta.url));
/** A clock can be set back between two processes, so the time may be negative. */
const pickedUp = /^picked up after (-?[\d.e-]+) ms$/;
const SYNCED_BYTES = 500;
const SYNCS = 300;
const POLL_MS = 10;
const STALLED_MS = 10_000;

type Percentiles = ReturnType<ReturnType<typeof createLatencies>['percentiles']>;

interface Side {
  readonly name: string;
  readonly url: string;
  readonly worker: Sluice;
  readonly found: Percentiles[];
}

/** No rates are compared, so it tells its figures in a note. */
export async function benchPickup(plan: RabbitPlan): Promise<Comparison[]> {
  const { broker, rounds } = plan;
  const opened: Opened[] = [];
  try {
    for (const start of [openOurs, openEmbedded, openBullmq('everysec'), openBullmq('always'), openBare])
      opened.push(await start(plan));
    const sides = opened.map(({ side }) => side);
    for (const side of sides) await measure(side, WARM_UP.seconds, WARM_UP.perSecond);
    for (let round = 0; round < rounds; round++) {
      for (const side of rotated(sides, round)) side.found.push(await measure(side, plan.seconds));
      const told = sides.map(({ name, found }) => `${name} ${toldOf(found.slice(-1))}`);
      plan.progress(`pickup, round ${round + 1}: ${told.join('; ')}`);
    }
    plan.note(noteOf(sides, await syncs(PER_SECOND)));
  } finally {
    for (const { close } of opened) await close();
    await broker.purge(laneOf(plan.place));
  }
  return [];
}

interface Opened {
  readonly side: Side;
  close(): Promise<void>;
}

async function openOurs({ place }: RabbitPlan): Promise<Opened> {
  const serve = await startRole('serve', place, { HANDLERS });
  const work = await startRole('work', place, { HANDLERS });
  return {
    side: { name: 'Sluice on RabbitMQ', url: serve.url, worker: work.process, found: [] },
    close: async () => void (await Promise.all([serve.process, work.process].map(end))),
  };
}

function openBullmq(appendfsync: AppendFsync) {
  return async (): Promise<Opened> => {
    const peer = await startBullmq(appendfsync);
    const server = await peer.startServer();
    const worker = await peer.startWorker(10);
    return {
      side: { name: peer.name, url: server.url, worker, found: [] },
      async close() {
        await Promise.all([server.process, worker].map(end));
        await peer.remove();
      },
    };
  };
}

/** The least there can be on RabbitMQ: a route that publishes, and a consumer that acks. */
async function openBare({ place, broker }: RabbitPlan): Promise<Opened> {
  const env = { AMQP_URL: place.amqpUrl, QUEUE: `${place.prefix}.bare` };
  const port = await freePort();
  const server = await startProgram('reference-server.ts', { ...env, PORT: String(port) });
  const worker = await startProgram('reference-consumer.ts', env);
  return {
    side: { name: 'Koa + amqplib alone', url: `http://127.0.0.1:${port}`, worker, found: [] },
    async close() {
      await Promise.all([server, worker].map(end));
      await broker.remove(env.QUEUE);
    },
  };
}

/** No server at all: the job is synced to a file of its own process, which works it off. */
async function openEmbedded(): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-pickup-'));
  const { url, process } = await startEmbedded(folder, { HANDLERS });
  return {
    side: { name: 'Sluice, built-in engine', url, worker: process, found: [] },
    async close() {
      await end(process);
      await rm(folder, { recursive: true });
    },
  };
}

function noteOf([onRabbitmq, embedded, ...others]: readonly Side[], sync: Percentiles): string {
  const [goalOf] = others;
  const linesOf = (ours: Side | undefined): string[] => {
    const ratioTo = ({ found }: Side): number =>
      median(ours?.found.map(({ p50Ms }, round) => p50Ms / (found[round]?.p50Ms ?? Number.NaN)) ?? []);
    const ratio = goalOf === undefined ? Number.NaN : ratioTo(goalOf);
    return [
      `  ${ours?.name}: ${toldOf(ours?.found ?? [])}`,
      `    the goal is <= ${GOAL.toFixed(2)} of ${goalOf?.name}: ${ratio <= GOAL ? 'reached' : 'not reached'}`,
      ...others.map((side) => `    ratio of the medians to ${side.name}: ${ratioTo(side).toFixed(2)}`),
    ];
  };
  return [
    `pickup at ${PER_SECOND} jobs/s, from the request to the handler; requests leave at their times, whatever became of those before`,
    ...[onRabbitmq, embedded].flatMap(linesOf),
    ...others.map((side) => `  ${side.name}: ${toldOf(side.found)}`),
    `  a write of ${SYNCED_BYTES} bytes to the same disk and its sync, ${PER_SECOND} a second: ${toldOf([sync])}`,
  ].join('\n');
}

/** What the disk alone takes of each pickup but that of a Redis which syncs each second: after a rest more than in a loop. */
async function syncs(perSecond: number): Promise<Percentiles> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-sync-'));
  const file = await open(join(folder, 'file'), 'w');
  const latencies = createLatencies();
  const bytes = Buffer.alloc(SYNCED_BYTES);
  for (let n = 0; n < SYNCS; n++) {
    await sleep(systemClock, 1000 / perSecond);
    const fromMs = performance.now();
    writeSync(file.fd, bytes);
    fdatasyncSync(file.fd);
    latencies.add(performance.now() - fromMs);
  }
  await file.close();
  await rm(folder, { recursive: true });
  return latencies.percentiles();
}

async function measure(
  { name, url, worker }: Side,
  seconds: number,
  perSecond = PER_SECOND,
): Promise<Percentiles> {
  const from = worker.stdout.length;
  const lines = (): number[] =>
    worker.stdout.slice(from).flatMap((line) => {
      const ms = pickedUp.exec(line)?.[1];
      return ms === undefined ? [] : [Number(ms)];
    });
  const load = await runOpenLoop({
    url: `${url}/v1/jobs`,
    perSecond,
    seconds,
    body: (sentAtMs) => JSON.stringify({ type: 'pickup', payload: { sentAtMs } }),
  });
  if (load.faults > 0) throw new Error(`${name}: ${load.faults} requests failed`);
  // The last was answered: what is picked up at all is so within moments.
  const untilMs = performance.now() + STALLED_MS;
  while (lines().length < load.answers) {
    if (performance.now() > untilMs)
      throw new Error(`${name}: ${load.answers - lines().length} of ${load.answers} jobs were not picked up`);
    await sleep(systemClock, POLL_MS);
  }
  const latencies = createLatencies();
  for (const ms of lines()) latencies.add(ms);
  return latencies.percentiles();
}

function toldOf(found: readonly Percentiles[]): string {
  const of = (pick: (one: Percentiles) => number): string => median(found.map(pick)).toFixed(1);
  return `p50 ${of(({ p50Ms }) => p50Ms)}, p99 ${of(({ p99Ms }) => p99Ms)}, p99.9 ${of(({ p999Ms }) => p999Ms)} ms`;
}
