/**
 * Jobs of every fate through the built product, while its recorder, its database, its broker and its worker are each killed
 * (`kill -9`) and started again. At the end what the read side says is compared with what the submitter and the handlers know.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AuditReport } from '../../src/api/audit.js';
import type { State } from '../../src/job/state.js';
import { sleep, systemClock } from '../../src/runtime/clock.js';
import { type PostgresServer, startPostgres } from '../support/postgres.js';
import { randomPrefix } from '../support/prefix.js';
import { type RabbitNode, startNode } from '../support/rabbitmq.js';
import { startSluice } from '../support/sluice.js';
import { startBatches } from './batches.js';
import { endsOf, type Fate, fateOf, requestOf } from './fates.js';
import { createOperator } from './operator.js';
import { end, type RunningRole, startRole } from './product.js';
import { until } from './waiting.js';

export const victims = ['recorder', 'database', 'broker', 'worker'] as const;
export type Victim = (typeof victims)[number];

export interface BooksPlan {
  readonly jobs: number;
  readonly batch: number;
  readonly store: 'postgres' | 'sqlite';
  readonly recorders: number;
  /** Dead jobs that are run again. */
  readonly replays: number;
  say(text: string): void;
}

export interface BooksReport {
  /** Ids that were answered with 202, and jobs that the read side lists. */
  readonly accepted: number;
  readonly listed: number;
  /** Items whose outcome was unknown, and which were submitted anew; and listed jobs that no answer has named. */
  readonly unknown: number;
  readonly unnamed: number;
  readonly refused: number;
  /** Listed jobs by state; what the audit says; and what must be so by the fates. */
  readonly states: Readonly<Partial<Record<State, { readonly listed: number; readonly audited: number }>>>;
  readonly ordered: { readonly cancels: number; readonly replays: number };
  /** Calls of handlers, distinct jobs that were called. */
  readonly calls: number;
  readonly called: number;
  /** Every disagreement, in words: empty when all adds up. */
  readonly faults: readonly string[];
  readonly verify: {
    readonly code: number | null;
    readonly report: AuditReport | undefined;
    readonly text: string;
  };
  readonly submitMs: number;
  readonly tookMs: number;
}

const handlers = fileURLToPath(new URL('fates-handlers.mjs', import.meta.url));
/** Without any change of the audit for so long, it has come to its end. */
const STALL_MS = 90_000;

/** A killed broker holds back delayed jobs for as long, by default three minutes: it waits for confirms that are gone. */
const DEAD_LETTER_TIMEOUT_MS = 10_000;

/** Needs a build. */
export async function runBooks(plan: BooksPlan): Promise<BooksReport> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-books-'));
  const broker = await startNode({ deadLetterTimeoutMs: DEAD_LETTER_TIMEOUT_MS });
  const database = plan.store === 'postgres' ? await startPostgres({ settings: { fsync: 'on' } }) : undefined;
  const started: RunningRole[] = [];
  try {
    return await run(plan, folder, broker, database, started);
  } finally {
    for (const { process } of started) process.kill('SIGKILL');
    await Promise.all(started.map(({ process }) => process.exited));
    await Promise.all([broker.remove(), database?.remove()]);
    await rm(folder, { recursive: true, force: true });
  }
}

async function run(
  plan: BooksPlan,
  folder: string,
  broker: RabbitNode,
  database: PostgresServer | undefined,
  started: RunningRole[],
): Promise<BooksReport> {
  const { jobs, say } = plan;
  const place = { amqpUrl: broker.url, prefix: randomPrefix() };
  const sinkFile = join(folder, 'sink');
  const settings = {
    DATA_DIR: join(folder, 'data'),
    HANDLERS: handlers,
    SINK_FILE: sinkFile,
    LOG_LEVEL: 'warn',
    WORKER_CONCURRENCY: '50',
    RETRY_BASE_MS: '200',
    RETENTION_JOBS: '10000000',
    ...(database === undefined ? {} : { DATABASE_URL: await database.createDatabase() }),
  };
  const launch = async (role: 'serve' | 'work' | 'record'): Promise<RunningRole> => {
    const running = await startRole(role, place, settings);
    started.push(running);
    return running;
  };
  const serve = await launch('serve');
  const recorders = await Promise.all(Array.from({ length: plan.recorders }, () => launch('record')));
  let worker = await launch('work');
  await broker.settle();
  say(`broker, ${plan.store}, serve, work and ${plan.recorders} record are up; submitting ${jobs} jobs`);

  const kills: Record<Victim, () => Promise<void>> = {
    async recorder() {
      recorders[0] = await again(recorders[0] as RunningRole, 'record');
    },
    async database() {
      if (database === undefined) return;
      await database.kill();
      await database.restart();
    },
    async broker() {
      await broker.kill();
      await broker.restart();
    },
    async worker() {
      worker = await again(worker, 'work');
    },
  };
  async function again(running: RunningRole, role: 'work' | 'record'): Promise<RunningRole> {
    running.process.kill('SIGKILL');
    await running.process.exited;
    return launch(role);
  }

  const startMs = Date.now();
  /** What is submitted goes on from a quarter to the next once the kill at its end has begun: so each hits the middle of things. */
  const killers: Promise<void>[] = [];
  const gates = victims.map((_victim, i) => ({ at: Math.ceil((jobs * (i + 1)) / 5), open: gate() }));
  const crowd = startBatches({
    url: serve.url,
    jobs,
    batch: plan.batch,
    requestOf: (n) => requestOf(n),
    isKeyed: (batch) => batch % 10 === 5,
    async admitted(n) {
      for (const { at, open } of gates) if (n >= at) await open.promise;
    },
  });
  const { submission } = crowd;
  const operator = createOperator(serve.url);
  /** Orders to cancel go out as soon as their jobs are accepted. */
  const ordering = operator.cancelAll(
    () => [...submission.accepted].filter(([, n]) => fateOf(n) === 'cancelled').map(([id]) => id),
    crowd.done,
  );
  ordering.catch(() => undefined); // awaited below

  for (const [i, victim] of victims.entries()) {
    const { at, open } = gates[i] as (typeof gates)[number];
    await until(async () => submission.accepted.size >= at - plan.batch, crowd.done);
    if (victim !== 'database' || database !== undefined)
      say(`killing the ${victim} with ${submission.accepted.size} accepted`);
    const killing = kills[victim]();
    open.resolve();
    killers.push(killing);
    await killing;
  }
  await crowd.done;
  const submitMs = Date.now() - startMs;
  say(`all are accepted after ${(submitMs / 1000).toFixed(1)} s`);
  await ordering;
  await operator.replaySome(plan.replays);
  say(
    `${operator.cancelled.size} are to be cancelled, ${operator.replayed.size} are run again; waiting for the end`,
  );
  await untilEnded(serve.url, say);
  const tookMs = Date.now() - startMs;

  const verify = startSluice(['verify', '--url', serve.url, '--json', '--wait', '60']);
  const { code } = await verify.exited;
  const report = verify.stdout[0]?.startsWith('{')
    ? (JSON.parse(verify.stdout[0]) as AuditReport)
    : undefined;
  const listed = await operator.list();
  const calls = callsOf(sinkFile);
  const faults = [
    ...submission.twice.map((key) => `the key ${key} has made two jobs`),
    ...faultsOf(submission.accepted, listed, calls, operator),
  ];
  const unnamed = [...listed.keys()].filter((id) => !submission.accepted.has(id)).length;
  if (unnamed > submission.unknown)
    faults.push(
      `${unnamed} jobs were named by no answer, but the outcome of ${submission.unknown} was unknown`,
    );
  const states = statesOf(listed, report);
  for (const [state, { listed: rows, audited }] of Object.entries(states))
    if (rows !== audited) faults.push(`${rows} jobs are listed as ${state}, the audit has ${audited}`);
  await Promise.all([serve, worker, ...recorders].map(({ process }) => end(process)));
  return {
    accepted: submission.accepted.size,
    listed: listed.size,
    unknown: submission.unknown,
    unnamed,
    refused: submission.refused,
    states,
    ordered: { cancels: operator.cancelled.size, replays: operator.replayed.size },
    calls: [...calls.values()].reduce((sum, runs) => sum + runs.length, 0),
    called: calls.size,
    faults,
    verify: { code, report, text: [...verify.stdout, ...verify.stderr].join('\n') },
    submitMs,
    tookMs,
  };
}

function gate(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** Until nothing is on its way any more, or nothing has moved for STALL_MS. */
async function untilEnded(url: string, say: (text: string) => void): Promise<void> {
  let last = '';
  let movedAtMs = Date.now();
  while (Date.now() - movedAtMs < STALL_MS) {
    const response = await fetch(`${url}/v1/audit`);
    if (response.status === 200) {
      const { open, broker, states } = (await response.json()) as AuditReport;
      const sum = JSON.stringify([open.rows, broker, states]);
      const waiting =
        broker === null
          ? 1
          : broker.ready + broker.delayed + broker.suspects + broker.events + broker.deadLetters;
      if (open.rows === 0 && waiting === 0) return;
      if (sum !== last) movedAtMs = Date.now();
      last = sum;
      say(`${open.rows} have not ended, the broker holds ${waiting}`);
    } else await response.text();
    await sleep(systemClock, 1000);
  }
  say('nothing moves any more');
}

interface Call {
  readonly run: number;
  readonly atMs: number;
}

function callsOf(file: string): ReadonlyMap<string, readonly Call[]> {
  const calls = new Map<string, Call[]>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [id = '', run, , atMs] = line.split(' ');
    if (id === '') continue;
    const call = { run: Number(run), atMs: Number(atMs) };
    const before = calls.get(id);
    if (before === undefined) calls.set(id, [call]);
    else before.push(call);
  }
  return calls;
}

function statesOf(
  listed: ReadonlyMap<string, State>,
  report: AuditReport | undefined,
): BooksReport['states'] {
  const states: Partial<Record<State, { listed: number; audited: number }>> = {};
  for (const [state, { rows, deleted }] of Object.entries(report?.states ?? {}))
    if (rows + deleted > 0) states[state as State] = { listed: 0, audited: rows + deleted };
  for (const state of listed.values()) {
    const { listed: before, audited } = states[state] ?? { listed: 0, audited: 0 };
    states[state] = { listed: before + 1, audited };
  }
  return states;
}

/** Of every accepted job: whether its row says what its fate, its orders and its handler say. */
function faultsOf(
  accepted: ReadonlyMap<string, number>,
  listed: ReadonlyMap<string, State>,
  calls: ReadonlyMap<string, readonly Call[]>,
  {
    cancelled,
    uncertain,
    replayed,
  }: Pick<ReturnType<typeof createOperator>, 'cancelled' | 'uncertain' | 'replayed'>,
): string[] {
  const faults: string[] = [];
  for (const [id, n] of accepted) {
    const fate: Fate = fateOf(n);
    const state = listed.get(id);
    const right = endsOf(fate, {
      isCancelled: cancelled.has(id),
      isUncertain: uncertain.has(id) || fate === 'cancelled',
      isReplayed: replayed.has(id),
    });
    if (state === undefined) faults.push(`${id} (${fate}) was accepted and is not listed`);
    else if (!right.includes(state)) faults.push(`${id} (${fate}) is ${state}, not ${right.join(' or ')}`);
    const runs = calls.get(id);
    if (fate !== 'echo' && state !== 'cancelled' && runs === undefined)
      faults.push(`${id} (${fate}) is ${state}, but no handler was called`);
    const orderedAtMs = cancelled.get(id);
    if (orderedAtMs !== undefined && runs !== undefined)
      faults.push(
        `${id} was cancelled before it was due, but called ${runs.map(({ atMs }) => atMs - orderedAtMs)} ms after the order`,
      );
    if (replayed.has(id) && runs?.some(({ run }) => run === 2) !== true)
      faults.push(`${id} was replayed, but not called again`);
  }
  return faults;
}
