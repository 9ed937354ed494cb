/**
 * Carries out what people have ordered of many dead jobs: replays and discards. Each is held by a lease, so that another recorder
 * goes on with it when this one is gone.
 */
import { randomUUID } from 'node:crypto';
import type { EventSender } from '../events/sender.js';
import { StoreUnavailable } from '../job/errors.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Service } from '../runtime/service.js';
import type { Redrive, Redrives } from '../store/redrives.js';
import type { JobReader } from '../store/store.js';
import { discardAll } from './discarding.js';
import { createHold, leaseMs } from './hold.js';
import { type Replaying, replayAll } from './replaying.js';
import type { Steps } from './steps.js';

export interface RedriverOptions extends Replaying {
  readonly redrives: Redrives;
  readonly jobs: Pick<JobReader, 'deadIds' | 'get'>;
  readonly sender: Pick<EventSender, 'record'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Of this life of this process; a UUID by default. */
  readonly driver?: string;
}

/** `stop` gives what it drives free, for another one to go on at once. */
export interface Redriver extends Service {
  readonly stats: { readonly driven: number };
}

const POLL_MS = 1_000;
/** Slow ones must not keep others waiting. */
const MOST_DRIVEN = 16;
const RETRY_MS = 1_000;
const SWEEP_EVERY_MS = 60_000;
/** How long an ended one can be looked at. */
const KEPT_MS = 7 * 86_400_000;

class Stopped extends Error {}

export function createRedriver(options: RedriverOptions): Redriver {
  const { redrives, jobs, sender, clock, log, driver = randomUUID() } = options;
  const stopping = new AbortController();
  const driven = new Map<string, Promise<void>>();
  let running: Promise<void> | undefined;
  let sweptAtMs = Number.NEGATIVE_INFINITY;

  async function patiently<Value>(work: () => Promise<Value>): Promise<Value> {
    for (;;) {
      try {
        return await unlessStopped(work());
      } catch (error) {
        if (error instanceof Stopped) throw error;
        if (!(error instanceof StoreUnavailable))
          log.error({ err: error }, 'a step of a replay or discard has failed; trying again');
        await sleep(clock, RETRY_MS, stopping.signal);
        if (stopping.signal.aborted) throw new Stopped();
      }
    }
  }

  function unlessStopped<Value>(work: Promise<Value>): Promise<Value> {
    const { signal } = stopping;
    return new Promise((resolve, reject) => {
      const stopped = (): void => reject(new Stopped());
      if (signal.aborted) stopped();
      signal.addEventListener('abort', stopped, { once: true });
      work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stopped));
    });
  }

  async function drive(redrive: Redrive): Promise<void> {
    const { id, kind } = redrive;
    const hold = createHold(redrive, { redrives, driver, clock });
    const steps: Steps = {
      redrives,
      jobs,
      clock,
      log,
      stopping: stopping.signal,
      hold,
      patiently,
      async end(state, reason) {
        if (!(await patiently(() => redrives.end(id, state, reason, clock.now())))) return;
        const what = { redrive: id, kind, reason };
        if (state === 'halted') log.warn(what, 'a replay of dead jobs was halted: failures come back');
        else log.info(what, 'a replay or discard of dead jobs is done');
      },
    };
    log.info({ redrive: id, kind, cursor: redrive.cursor }, 'driving a replay or discard of dead jobs');
    try {
      await (kind === 'replay' ? replayAll(redrive, steps, options) : discardAll(redrive, steps, sender));
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
    }
    if (stopping.signal.aborted)
      await hold.release().catch((error: unknown) => {
        log.warn({ err: error, redrive: id }, 'the last step of a replay or discard could not be booked');
      });
  }

  async function look(): Promise<void> {
    while (driven.size < MOST_DRIVEN && !stopping.signal.aborted) {
      const nowMs = clock.now();
      const redrive = await redrives.claim(driver, nowMs, nowMs + leaseMs);
      if (redrive === undefined) break;
      // Ours already: its lease had run out while the store was away.
      if (driven.has(redrive.id)) continue;
      const work = drive(redrive)
        .catch((error: unknown) => log.error({ err: error, redrive: redrive.id }, 'a redrive has failed'))
        .finally(() => driven.delete(redrive.id));
      driven.set(redrive.id, work);
    }
    if (Math.abs(clock.now() - sweptAtMs) < SWEEP_EVERY_MS) return;
    sweptAtMs = clock.now();
    await redrives.sweep(sweptAtMs - KEPT_MS);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await look();
      } catch (error) {
        // The recorder says that the store is away.
        if (!(error instanceof StoreUnavailable))
          log.error({ err: error }, 'replays and discards could not be looked for; trying again');
      }
      await sleep(clock, POLL_MS, stopping.signal);
    }
  }

  return {
    stats: {
      get driven() {
        return driven.size;
      },
    },
    async start() {
      running ??= run();
    },
    async stop() {
      stopping.abort();
      await running;
      await Promise.all(driven.values());
    },
  };
}
