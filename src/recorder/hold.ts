/** The lease on a redrive, with what was done under it and is not booked yet. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../runtime/clock.js';
import type { Redrive, RedriveStep, Redrives } from '../store/redrives.js';

export interface Hold {
  /** Where it goes on. */
  readonly cursor: string | null;
  /** One was replayed (as this run) or discarded. */
  done(replayed?: { readonly id: string; readonly run: number }): void;
  skipped(count: number): void;
  /** Books what was done and renews the lease. False when it has ended, or another one drives it. @throws StoreUnavailable */
  book(next?: string): Promise<boolean>;
  /** As `book`, unless that was done just now. */
  renew(): Promise<boolean>;
  /** Books the rest and gives it free, for the next one to go on at once. @throws StoreUnavailable */
  release(): Promise<void>;
}

export const leaseMs = 30_000;
/** How old the news may be that a redrive goes on. */
const FRESH_MS = 1_000;

export function createHold(
  redrive: Redrive,
  { redrives, driver, clock }: { redrives: Pick<Redrives, 'book'>; driver: string; clock: Clock },
): Hold {
  let { cursor } = redrive;
  let bookedAtMs = clock.now();
  let done = 0;
  let skipped = 0;
  let replayed: RedriveStep['replayed'][number][] = [];
  /** Tried, and no answer came: whether it is booked nobody knows, so it is booked again as it was, and what came since by itself. */
  let unanswered: RedriveStep | undefined;

  /** One after the other: what is being booked must not be booked again by the next. */
  let writing: Promise<unknown> = Promise.resolve();
  function write(untilMs: number): Promise<boolean> {
    const written = writing.then(() => writeNow(untilMs));
    writing = written.catch(() => {});
    return written;
  }

  async function writeNow(untilMs: number): Promise<boolean> {
    const nowMs = clock.now();
    if (unanswered !== undefined) await bookStep(unanswered, nowMs, nowMs + leaseMs);
    const step = { id: randomUUID(), done, skipped, cursor, replayed };
    return (await bookStep(step, nowMs, untilMs))?.state === 'running';
  }

  async function bookStep(step: RedriveStep, nowMs: number, untilMs: number): Promise<Redrive | undefined> {
    unanswered = step;
    const booked = await redrives.book(redrive.id, driver, step, nowMs, untilMs);
    unanswered = undefined;
    done -= step.done;
    skipped -= step.skipped;
    replayed = replayed.slice(step.replayed.length);
    bookedAtMs = nowMs;
    return booked;
  }

  const book = (next?: string): Promise<boolean> => {
    cursor = next ?? cursor;
    return write(clock.now() + leaseMs);
  };

  return {
    get cursor() {
      return cursor;
    },
    done(one) {
      done++;
      if (one !== undefined) replayed.push(one);
    },
    skipped(count) {
      skipped += count;
    },
    book,
    async renew() {
      const ageMs = clock.now() - bookedAtMs;
      return (ageMs >= 0 && ageMs < FRESH_MS) || book();
    },
    async release() {
      await write(0);
    },
  };
}
