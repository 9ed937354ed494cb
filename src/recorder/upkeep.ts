/** What the recorder does beside recording, every few seconds and in small steps: makes up the books of sources, and forgets what is old. */
import { randomUUID } from 'node:crypto';
import { StoreUnavailable } from '../job/errors.js';
import type { State } from '../job/state.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Service } from '../runtime/service.js';
import type { Ledgers } from '../store/ledgers.js';
import { LEAST_AGE_MS } from '../store/remade.js';
import { type Retention, settledStates } from '../store/retention.js';
import type { IdempotencyKeys } from '../store/store.js';
import { enter } from './ledger.js';

export interface UpkeepOptions {
  readonly ledgers: Ledgers;
  readonly retention: Retention;
  readonly idempotency: Pick<IdempotencyKeys, 'sweep'>;
  /** How long finished jobs are kept, and how many of them: RETENTION_AGE_MS, RETENTION_JOBS. */
  readonly ageMs: number;
  readonly jobs: number;
  /** Dead jobs wait for a person, as does what is in quarantine: they are kept this long, however many there are. */
  readonly deadAgeMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Upkeep extends Service {
  /** One round of everything, as the service makes them. @throws StoreUnavailable */
  round(): Promise<void>;
  readonly stats: { readonly deletedJobs: number };
}

const ROUND_MS = 3_000;
/** When a round has left something over: what falls due in a second must not be more than what goes. */
const AGAIN_MS = 100;
/** Counting a million rows is not for every round. */
const COUNT_EVERY_MS = 60_000;
const MOST_BATCHES = 2_000;
const MOST_JOBS = 500;
const MOST_KEYS = 1_000;
const MOST_CANCELS = 500;
const MOST_QUARANTINED = 100;
/** Each look goes through all orders to cancel. */
const CANCELS_EVERY_MS = 60_000;
/** Of each kind and round: upkeep must not keep recording waiting. */
const MOST_STEPS = 20;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const flowAgeMs = DAY_MS;
const endedSourceAgeMs = DAY_MS;
const silentSourceAgeMs = 30 * DAY_MS;
/**
 * A delivery whose end is recorded, but which was not acked because its worker died, comes again. By then its broker has noticed; were
 * the order to cancel it forgotten, it would run.
 */
const endedCancelAgeMs = 600_000;
const orphanedCancelAgeMs = 7 * DAY_MS;

export function createUpkeep(options: UpkeepOptions): Upkeep {
  const { ledgers, retention, idempotency, clock, log } = options;
  const stopping = new AbortController();
  let countedAtMs = Number.NEGATIVE_INFINITY;
  let cancelsAtMs = Number.NEGATIVE_INFINITY;
  let overCountMs: number | undefined;
  let deletedJobs = 0;
  /** There was more to do than a round may. */
  let isCut = false;
  let running: Promise<void> | undefined;

  async function makeUpBooks(): Promise<void> {
    await inSteps(MOST_BATCHES, async () => {
      const open = await ledgers.open(MOST_BATCHES);
      for (const one of open) {
        await ledgers.close(one, enter(one.ledger, one.batches, clock.now()), randomUUID());
      }
      return open.reduce((sum, { batches }) => sum + batches.length, 0);
    });
  }

  async function deleteJobs(): Promise<void> {
    const nowMs = clock.now();
    if (nowMs - countedAtMs >= COUNT_EVERY_MS) {
      overCountMs = await retention.finishedBeforeNewest(options.jobs);
      countedAtMs = nowMs;
    }
    const youngest = nowMs - LEAST_AGE_MS;
    const settledBefore = Math.min(
      youngest,
      Math.max(nowMs - options.ageMs, overCountMs ?? Number.NEGATIVE_INFINITY),
    );
    await deleteAmong(settledStates, settledBefore);
    await deleteAmong(['dead'], Math.min(youngest, nowMs - options.deadAgeMs));
  }

  async function deleteAmong(states: readonly State[], beforeMs: number): Promise<void> {
    for (const state of states) {
      await inSteps(MOST_JOBS, async () => {
        const deleted = await retention.deleteJobs([state], beforeMs, MOST_JOBS);
        deletedJobs += deleted;
        return deleted;
      });
    }
  }

  async function forgetCancels(nowMs: number): Promise<void> {
    if (nowMs - cancelsAtMs < CANCELS_EVERY_MS) return;
    cancelsAtMs = nowMs;
    await inSteps(MOST_CANCELS, () =>
      retention.deleteCancels(nowMs - endedCancelAgeMs, nowMs - orphanedCancelAgeMs, MOST_CANCELS),
    );
  }

  /** Goes on as long as a step finds as much as it may take. */
  async function inSteps(most: number, step: () => Promise<number>): Promise<void> {
    for (let taken = 0; taken < MOST_STEPS && !stopping.signal.aborted; taken++) {
      if ((await step()) < most) return;
    }
    isCut = true;
  }

  async function round(): Promise<void> {
    const nowMs = clock.now();
    await makeUpBooks();
    await deleteJobs();
    await inSteps(MOST_JOBS, () => retention.deleteRemade(nowMs - options.ageMs, MOST_JOBS));
    await retention.deleteFlow(nowMs - flowAgeMs);
    await forgetCancels(nowMs);
    const before = nowMs - options.deadAgeMs;
    await inSteps(MOST_QUARANTINED, () => retention.deleteQuarantined(before, MOST_QUARANTINED));
    await inSteps(MOST_KEYS, () => idempotency.sweep(nowMs, MOST_KEYS));
    await ledgers.forget(nowMs - endedSourceAgeMs, nowMs - silentSourceAgeMs, randomUUID());
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await sleep(clock, isCut ? AGAIN_MS : ROUND_MS, stopping.signal);
      if (stopping.signal.aborted) return;
      isCut = false;
      try {
        await round();
      } catch (error) {
        // The recorder says that the store is away.
        if (error instanceof StoreUnavailable)
          log.debug({ err: error }, 'the upkeep of the store has to wait');
        else log.error({ err: error }, 'the upkeep of the store has failed; trying again');
      }
    }
  }

  return {
    round,
    stats: {
      get deletedJobs() {
        return deletedJobs;
      },
    },
    async start() {
      running ??= run();
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
