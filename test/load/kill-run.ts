/** `http.push` jobs through `sluice start` on the built-in engine, with a `kill -9` of the whole process again and again. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { sleep, systemClock } from '../../src/runtime/clock.js';
import { freePort } from '../support/free-port.js';
import type { Sluice } from '../support/sluice.js';
import { createLedger, type Ledger, type Outage } from './ledger.js';
import { end, launchEmbedded, untilReady } from './product.js';
import { startSinkProcess } from './sink-client.js';
import { type Submission, startCrowd } from './submit.js';
import { untilStill } from './waiting.js';

export interface KillPlan {
  readonly jobs: number;
  readonly concurrency: number;
  readonly sinkDelayMs: number;
  /** Resolves when this life, counted from 0, is to end. Asked at its launch. */
  untilKill(life: Life): Promise<void>;
  say(text: string): void;
}

export interface Life {
  readonly number: number;
  /** Resolves when `/readyz` says 200. */
  readonly ready: Promise<void>;
  /** Distinct jobs that have arrived. */
  arrived(): Promise<number>;
}

export interface KillReport {
  readonly ledger: Ledger;
  readonly submission: Submission;
  readonly kills: number;
  /** Of these, before the process was ready. */
  readonly killsAtStart: number;
  /** Rows of the file at the end, by table. */
  readonly left: Readonly<Record<'jobs' | 'delayed' | 'suspects' | 'dead', number>>;
  /** What SQLite's own check says of the file: `ok`. */
  readonly check: string;
  /** From the first submission to the last arrival. */
  readonly tookMs: number;
}

const DEPTH_POLL_MS = 100;
const PATIENCE_MS = 60_000;

/** Needs a build. Kills until all that was accepted has arrived; then one life ends in good order. */
export async function runKills(plan: KillPlan): Promise<KillReport> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-kill-'));
  const file = join(dataDir, 'sluice.db');
  const port = await freePort();
  const sink = await startSinkProcess(plan.sinkDelayMs);
  const launch = (): Sluice =>
    launchEmbedded(dataDir, port, {
      WORKER_CONCURRENCY: String(plan.concurrency),
      HTTP_PUSH_ALLOW_PRIVATE: 'true',
    });
  let child = launch();
  try {
    await untilReady('sluice start', child, port);
    const startMs = Date.now();
    const { submission, done } = startCrowd(`http://127.0.0.1:${port}`, plan.jobs, (n) =>
      JSON.stringify({ type: 'http.push', payload: { url: sink.sinkUrl, body: { n } } }),
    );
    const outages: Outage[] = [];
    const readLedger = async (): Promise<Ledger> =>
      createLedger({
        accepted: submission.accepted,
        unknown: submission.unknown,
        workerOutages: outages,
        brokerOutages: [],
        arrivals: await sink.readArrivals(),
      });
    const isComplete = async (): Promise<boolean> => (await readLedger()).lost.length === 0;
    let isThrough = false;
    const through = done
      .then(() => untilStill(sink.count, plan.jobs, isComplete))
      .then(() => {
        isThrough = true;
      });
    through.catch(() => {}); // awaited below

    let downSinceMs: number | undefined;
    let killsAtStart = 0;
    let kills = 0;
    for (;;) {
      const life = `life ${kills + 1}`;
      let isUp = false;
      let hasEnded = false;
      void child.exited.then(() => {
        hasEnded = true;
      });
      const ready = untilReady(life, child, port).then(() => {
        isUp = true;
        if (downSinceMs !== undefined) outages.push({ fromMs: downSinceMs, toMs: Date.now() });
        downSinceMs = undefined;
      });
      ready.catch(() => {}); // killed at its start; any other end is heard of below
      await Promise.race([plan.untilKill({ number: kills, ready, arrived: sink.count }), through]);
      if (hasEnded) throw new Error(`${life} ended by itself:\n${child.stderr.join('\n')}`);
      if (isThrough) {
        await ready;
        break;
      }
      downSinceMs ??= Date.now();
      child.kill('SIGKILL');
      await child.exited;
      kills += 1;
      killsAtStart += Number(!isUp);
      plan.say(
        `kill ${kills}${isUp ? '' : ' (at its start)'}: accepted ${submission.accepted.size}, arrived ${await sink.count()}`,
      );
      child = launch();
    }
    const tookMs = Date.now() - startMs;
    await untilEmpty(file);
    await end(child);
    return { ledger: await readLedger(), submission, kills, killsAtStart, ...readFile(file), tookMs };
  } finally {
    child.kill('SIGKILL');
    await Promise.all([child.exited, end(sink.sink)]);
    await rm(dataDir, { recursive: true });
  }
}

/** Late duplicates count, too. Gives up after PATIENCE_MS: what is left is reported. */
async function untilEmpty(file: string): Promise<void> {
  const giveUpAtMs = Date.now() + PATIENCE_MS;
  while (Date.now() < giveUpAtMs) {
    const { jobs, delayed, suspects } = readFile(file).left;
    if (jobs + delayed + suspects === 0) return;
    await sleep(systemClock, DEPTH_POLL_MS);
  }
}

function readFile(file: string): Pick<KillReport, 'left' | 'check'> {
  const db = new Sqlite(file, { readonly: true });
  try {
    const count = (table: string): number =>
      db.prepare<[], number>(`SELECT count(*) FROM ${table}`).pluck().get() ?? 0;
    return {
      left: {
        jobs: count('jobs'),
        delayed: count('delayed'),
        suspects: count('suspects'),
        dead: count('dead'),
      },
      check: String(db.pragma('integrity_check', { simple: true })),
    };
  } finally {
    db.close();
  }
}
