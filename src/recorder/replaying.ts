/** Replays dead jobs one after the other, at an even pace. What cannot be replayed now is waited for, never passed over. */
import type { Broker } from '../broker/broker.js';
import { OutcomeUnknown, Refused, StoreUnavailable, Unavailable } from '../job/errors.js';
import { sleep } from '../runtime/clock.js';
import type { Redrive } from '../store/redrives.js';
import { createPace } from './pace.js';
import { createRelapse } from './relapse.js';
import type { Steps } from './steps.js';

/** Replays a job with the payload it has, by order of the request with this trace context; of operations/replay. */
export type Replay = (
  id: string,
  traceparent: string | undefined,
) => Promise<
  | { readonly kind: 'replayed'; readonly job: { readonly run: number } }
  /** Somebody else has the right to, or had it and has not used it: its lease ends. */
  | { readonly kind: 'claimed' }
  | { readonly kind: 'forbidden' | 'no-payload' | 'worn-out' | 'unknown' }
>;

export interface Replaying {
  readonly replay: Replay;
  readonly broker: Pick<Broker, 'health'>;
  /** Whether the broker has this queue: a job of one that is gone can wait for ever. */
  readonly hasQueue: (name: string) => boolean;
}

const MOST_A_STEP = 200;
const MOST_AT_A_TIME = 16;
/** A wait for the pace is made of pieces no longer than this, each of which renews the lease and sees a stop. */
const LONGEST_WAIT_MS = 5_000;
const RETRY_BASE_MS = 1_000;
const RETRY_MAX_MS = 5_000;

/** Resolves when there are no more, failures come back, or it does not go on. */
export async function replayAll(redrive: Redrive, steps: Steps, replaying: Replaying): Promise<void> {
  const { jobs, redrives, clock, log, stopping, hold, patiently, end } = steps;
  const { id, filter } = redrive;
  const rate = redrive.ratePerSecond ?? Number.POSITIVE_INFINITY;
  const pace = createPace(rate);
  const relapse = createRelapse(id, redrives, clock);
  /** About a second's work: so long may a stop take. */
  const limit = Math.min(MOST_A_STEP, Math.max(1, Math.floor(rate)));

  /** Waits until the next one may begin. False when it does not go on. */
  async function turn(): Promise<boolean> {
    for (let ms = pace.waitMs(clock.now()); ms > 0; ms = pace.waitMs(clock.now())) {
      await sleep(clock, Math.min(ms, LONGEST_WAIT_MS), stopping);
      if (stopping.aborted) return false;
      if (ms > LONGEST_WAIT_MS && !(await patiently(() => hold.renew()))) return false;
    }
    return !stopping.aborted;
  }

  /** Tries each once, until trouble. Those that have to wait. */
  async function round(ids: readonly string[]): Promise<readonly string[]> {
    const waiting: string[] = [];
    const underWay = new Set<Promise<void>>();
    const health = replaying.broker.health();
    let trouble = health.ok ? undefined : health.reason;

    async function one(job: string): Promise<void> {
      try {
        const outcome = await replaying.replay(job, redrive.traceparent);
        if (outcome.kind === 'replayed') hold.done({ id: job, run: outcome.job.run });
        else if (outcome.kind === 'claimed') waiting.push(job);
        else hold.skipped(1);
      } catch (error) {
        if (isPassing(error) && !(await queueIsGone(job))) {
          trouble ??= error instanceof Error ? error.message : String(error);
          waiting.push(job);
        } else {
          log.error({ err: error, redrive: id, job }, 'a job cannot be replayed, and is passed over');
          hold.skipped(1);
        }
      }
    }

    for (const job of ids) {
      if (trouble === undefined && (await turn())) {
        pace.began(clock.now());
        const work = one(job).finally(() => underWay.delete(work));
        underWay.add(work);
        if (underWay.size >= MOST_AT_A_TIME) await Promise.race(underWay);
      } else waiting.push(job);
    }
    await Promise.all(underWay);
    if (trouble !== undefined)
      log.warn({ redrive: id, reason: trouble }, 'a replay of dead jobs has to wait');
    return waiting;
  }

  async function queueIsGone(job: string): Promise<boolean> {
    const found = await jobs.get(job).catch(() => undefined);
    return found !== undefined && !replaying.hasQueue(found.row.queue);
  }

  /** Until each is replayed, or cannot be. False when it does not go on. */
  async function replayPage(ids: readonly string[]): Promise<boolean> {
    let left = await round(ids);
    for (let tries = 0; left.length > 0; tries++) {
      await sleep(clock, Math.min(RETRY_BASE_MS * 2 ** tries, RETRY_MAX_MS), stopping);
      if (stopping.aborted || !(await patiently(() => hold.book()))) return false;
      const former = left;
      // Others may have replayed some of them; what has died again since is not meant.
      const still = await patiently(() => jobs.deadIds({ ...filter, ids: former }, { limit: former.length }));
      hold.skipped(former.length - still.ids.length);
      left = await round(still.ids);
    }
    return true;
  }

  while ((await turn()) && (await patiently(() => hold.renew()))) {
    const reason = await patiently(() => relapse.look());
    if (reason !== undefined) return end('halted', reason);
    const { cursor } = hold;
    const page = await patiently(() =>
      jobs.deadIds(filter, { limit, ...(cursor === null ? {} : { cursor }) }),
    );
    if (!(await replayPage(page.ids))) return;
    const goesOn = await patiently(() => hold.book(page.next));
    if (!goesOn) return;
    if (page.next === undefined) return end('done', null);
  }
}

/** It passes by itself: the broker or the store is away, or has too much to do. The outcome of an unknown one is seen in the store. */
function isPassing(error: unknown): boolean {
  return (
    error instanceof Unavailable ||
    error instanceof Refused ||
    error instanceof OutcomeUnknown ||
    error instanceof StoreUnavailable
  );
}
