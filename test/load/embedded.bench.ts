/** `sluice start` on the built-in engine beside BullMQ on a Redis of its own (AOF, everysec): submit, drain, and both at once. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BATCH, type Plan, sendBatches } from './bench-plan.js';
import { drainRate } from './bench-queue.js';
import { type Peer, startBullmq } from './peers.js';
import { end, type RunningRole, startEmbedded } from './product.js';
import type { Comparison, Sample } from './report.js';
import { median } from './report.js';
import { completed as completedAt, scrape } from './scrape.js';
import { CONNECTIONS, submitFor } from './submit-load.js';
import { rotated } from './turns.js';

const CONCURRENCY = 100;
const WARM_UP_S = 2;
/** Reading how far it is takes from the one who answers. */
const POLL_MS = 50;
const DELAY_GOAL_MS = 20;
/** Works on a queue that stays empty, so that the jobs lie. */
const idle = { QUEUES: 'idle', WORKER_QUEUES: 'idle:1' };
const busy = { WORKER_CONCURRENCY: String(CONCURRENCY) };

interface Bench {
  readonly plan: Plan;
  readonly peer: Peer;
  /** A new, empty DATA_DIR. */
  newFolder(): Promise<string>;
}

export async function benchEmbedded(plan: Plan): Promise<Comparison[]> {
  const folders: string[] = [];
  const peer = await startBullmq();
  const newFolder = async (): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
    folders.push(folder);
    return folder;
  };
  const bench: Bench = { plan, peer, newFolder };
  try {
    const comparisons = [await benchSubmit(bench), await benchDrain(bench)];
    await benchBoth(bench);
    return comparisons;
  } finally {
    await peer.remove();
    await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
  }
}

async function benchSubmit({ plan, peer, newFolder }: Bench): Promise<Comparison> {
  const serve = await startEmbedded(await newFolder(), idle);
  const server = await peer.startServer();
  const ours: Sample[] = [];
  const theirs: Sample[] = [];
  const measureOurs = (forSeconds: number): Promise<Sample> => load('sluice start', serve, forSeconds);
  const measureTheirs = async (forSeconds: number): Promise<Sample> => {
    const result = await load('BullMQ', server, forSeconds);
    await peer.empty();
    return result;
  };
  try {
    await measureOurs(WARM_UP_S);
    await measureTheirs(WARM_UP_S);
    await inTurns(plan.rounds, [
      async () => ours.push(await measureOurs(plan.seconds)),
      async () => theirs.push(await measureTheirs(plan.seconds)),
      async (round) => plan.progress(told('embedded submit', round, ours, theirs)),
    ]);
  } finally {
    await Promise.all([end(serve.process), end(server.process)]);
  }
  const what = `embedded: POST /v1/jobs, ${CONNECTIONS} connections`;
  return { what, unit: 'requests', reference: `Koa + ${peer.name}`, goal: 1, ours, theirs };
}

async function benchDrain({ plan, peer, newFolder }: Bench): Promise<Comparison> {
  const batches = Math.ceil(plan.jobs / BATCH);
  const held = batches * BATCH;
  const ours: Sample[] = [];
  const theirs: Sample[] = [];
  const measureOurs = async (): Promise<Sample> => {
    const folder = await newFolder();
    const filling = await startEmbedded(folder, idle);
    await sendBatches(filling.url, batches, 2);
    await end(filling.process);
    const work = await startEmbedded(folder, busy);
    const readDepth = async (): Promise<number> => held - (await completedAt(work.url));
    const sample = await drainRate(readDepth, held, POLL_MS);
    await end(work.process);
    await rm(folder, { recursive: true });
    return sample;
  };
  const measureTheirs = async (): Promise<Sample> => {
    await peer.fill(batches);
    const worker = await peer.startWorker(CONCURRENCY);
    const sample = await drainRate(() => peer.depth(), held, peer.pollMs);
    await end(worker);
    await peer.empty();
    return sample;
  };
  await inTurns(plan.rounds, [
    async () => ours.push(await measureOurs()),
    async () => theirs.push(await measureTheirs()),
    async (round) => plan.progress(told('embedded drain', round, ours, theirs)),
  ]);
  const what = `embedded: drain, no-op handler, concurrency ${CONCURRENCY}`;
  return { what, unit: 'jobs', reference: peer.name, goal: 1, ours, theirs };
}

interface Both {
  readonly accepted: number;
  readonly completed: number;
  readonly delayMs: number;
}

/** The full load: one process takes jobs in as fast as it can, and works them off at the same time. */
async function benchBoth({ plan, peer, newFolder }: Bench): Promise<void> {
  const serve = await startEmbedded(await newFolder(), busy);
  const server = await peer.startServer(CONCURRENCY);
  const ours: Both[] = [];
  const theirs: Both[] = [];
  const measureOurs = async (forSeconds: number): Promise<Both> => {
    // Each reading begins the histogram of the event-loop delay anew.
    const before = await completedAt(serve.url);
    const startMs = performance.now();
    const { perSecond: accepted } = await load('sluice start', serve, forSeconds);
    const after = await scrape(serve.url);
    const tookMs = performance.now() - startMs;
    const completed = (((after.get('sluice_jobs_completed_total') ?? 0) - before) * 1000) / tookMs;
    const delayMs = 1000 * (after.get('nodejs_eventloop_lag_p99_seconds') ?? Number.NaN);
    return { accepted, completed, delayMs };
  };
  const readPeer = async () =>
    (await (await fetch(`${server.url}/figures`)).json()) as {
      readonly p99Ms: number;
      readonly completed: number;
    };
  const measureTheirs = async (forSeconds: number): Promise<Both> => {
    const before = await readPeer();
    const startMs = performance.now();
    const { perSecond: accepted } = await load('BullMQ', server, forSeconds);
    const after = await readPeer();
    const completed = ((after.completed - before.completed) * 1000) / (performance.now() - startMs);
    return { accepted, completed, delayMs: after.p99Ms };
  };
  try {
    await measureOurs(WARM_UP_S);
    await measureTheirs(WARM_UP_S);
    await inTurns(plan.rounds, [
      async () => ours.push(await measureOurs(plan.seconds)),
      async () => theirs.push(await measureTheirs(plan.seconds)),
      async (round) =>
        plan.progress(
          `embedded at full load, round ${round + 1}: ${toldBoth(ours.slice(-1))}; BullMQ ${toldBoth(theirs.slice(-1))}`,
        ),
    ]);
  } finally {
    await Promise.all([end(serve.process), end(server.process)]);
  }
  const delayMs = median(ours.map((sample) => sample.delayMs));
  plan.note(
    `embedded at full load, all in one process: ${toldBoth(ours)} (goal < ${DELAY_GOAL_MS} ms: ${delayMs < DELAY_GOAL_MS ? 'reached' : 'not reached'})
  Koa, BullMQ's queue and worker in one process beside Redis: ${toldBoth(theirs)}
  The delay is what Node measures with a timer of 10 ms, these 10 ms included.`,
  );
}

function load(name: string, { url, process }: RunningRole, seconds: number): Promise<Sample> {
  return submitFor({ name, url, seconds, programs: [process.pid] });
}

/** Two measures, every other round the second first; what comes after them is last in each. */
async function inTurns(
  rounds: number,
  [one, other, after]: readonly [
    () => Promise<unknown>,
    () => Promise<unknown>,
    (round: number) => Promise<void>,
  ],
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const measure of rotated([one, other], round)) await measure();
    await after(round);
  }
}

function told(what: string, round: number, ours: readonly Sample[], theirs: readonly Sample[]): string {
  const [we, they] = [ours, theirs].map((samples) => Math.round(samples[round]?.perSecond ?? 0));
  return `${what}, round ${round + 1}: sluice start ${we}/s, BullMQ ${they}/s`;
}

function toldBoth(samples: readonly Both[]): string {
  const of = (pick: (sample: Both) => number): number => median(samples.map(pick));
  return `${Math.round(of(({ accepted }) => accepted))} accepted/s, ${Math.round(of(({ completed }) => completed))} completed/s, event-loop delay p99 ${of(({ delayMs }) => delayMs).toFixed(1)} ms`;
}
