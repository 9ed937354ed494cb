/**
 * What operators have ordered, as this worker knows it: one snapshot of the registers, read anew whenever they are announced to
 * have changed. A worker begins only with a snapshot, and then goes on with the last one when no newer can be had.
 */
import type { EventChannel } from '../broker/event-channel.js';
import type { Job } from '../job/job.js';
import type { Orders, QueueOrder } from '../job/orders.js';
import { type CancelCause, nextDelayMs } from '../job/retry.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';

/** A lost announcement costs no more than this. */
const REREAD_MS = 30_000;
const tryAgain = { baseMs: 500, maxMs: REREAD_MS };

export interface StandingOrdersOptions {
  /** @throws when the store cannot be read */
  readonly readOrders: () => Promise<Orders>;
  readonly onAnnouncement: EventChannel['onAnnouncement'];
  /** Called after each new snapshot. */
  readonly changed: () => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly stopping: AbortSignal;
}

export interface StandingOrders {
  /** Begins to follow them, until stopped. Resolves once the first snapshot is known, or when stopped before. Never rejects. */
  follow(): Promise<void>;
  readonly isKnown: boolean;
  /** Why they may be out of date, or not known at all; undefined when they are as read last. */
  readonly fault: string | undefined;
  /** A running job of this kind is to stop. */
  isCancelled(job: Job): boolean;
  /** Why a job is not to begin, or undefined when it may. */
  causeToCancel(job: Job): CancelCause | undefined;
  of(queue: string): QueueOrder | undefined;
}

export function createStandingOrders(options: StandingOrdersOptions): StandingOrders {
  const { readOrders, onAnnouncement, changed, clock, random, log, stopping } = options;
  let cancels: ReadonlySet<string> = new Set();
  let queues: ReadonlyMap<string, QueueOrder> = new Map();
  let isKnown = false;
  let fault: string | undefined;
  let failures = 0;
  let isAnnounced = false;
  let wake = (): void => {};
  let known = (): void => {};

  function failed(what: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const consequence = isKnown ? 'those read before hold' : 'no job is run before they are known';
    fault = `${what}: ${message}; ${consequence}`;
    failures += 1;
    if (failures === 1) log.warn({ err: error }, `${what}; ${consequence}; it is tried again`);
  }

  function announced(): void {
    isAnnounced = true;
    wake();
  }

  /** Resolves after `ms`, at once when an announcement has come since the last read began, and when stopped. */
  async function nextOccasion(ms: number): Promise<void> {
    if (isAnnounced) return;
    const woken = new AbortController();
    wake = () => woken.abort();
    await sleep(clock, ms, woken.signal);
  }

  /** Before the first read: an order given after it is announced to us. */
  async function bind(): Promise<void> {
    while (!stopping.aborted) {
      try {
        const unbind = await onAnnouncement(announced);
        if (stopping.aborted) unbind();
        else stopping.addEventListener('abort', unbind, { once: true });
        failures = 0;
        fault = undefined;
        return;
      } catch (error) {
        failed('news of orders cannot be listened for', error);
        await nextOccasion(nextDelayMs(failures, tryAgain, random));
      }
    }
  }

  async function read(): Promise<void> {
    isAnnounced = false;
    try {
      const orders = await readOrders();
      if (stopping.aborted) return;
      cancels = new Set(orders.cancels.map(keyOf));
      queues = new Map(orders.queues.map((order) => [order.queue, order]));
    } catch (error) {
      failed('the orders of operators cannot be read', error);
      return;
    }
    if (failures > 0) log.info({ failures }, 'the orders of operators can be read again');
    failures = 0;
    fault = undefined;
    isKnown = true;
    known();
    changed();
  }

  async function keepReading(): Promise<void> {
    await bind();
    while (!stopping.aborted) {
      await read();
      if (stopping.aborted) return;
      await nextOccasion(failures === 0 ? REREAD_MS : nextDelayMs(failures, tryAgain, random));
    }
  }

  const isCancelled = (job: Job): boolean => cancels.has(keyOf(job));

  return {
    follow() {
      const first = new Promise<void>((resolve) => {
        known = resolve;
      });
      stopping.addEventListener('abort', () => [known(), wake()], { once: true });
      if (stopping.aborted) known();
      void keepReading();
      return first;
    },
    get isKnown() {
      return isKnown;
    },
    get fault() {
      return fault;
    },
    isCancelled,
    causeToCancel(job) {
      if (cancels.size > 0 && isCancelled(job)) return 'order';
      const { purgedThroughMs } = queues.get(job.queue) ?? {};
      return purgedThroughMs !== undefined && job.dueAtMs <= purgedThroughMs ? 'purge' : undefined;
    },
    of: (queue) => queues.get(queue),
  };
}

function keyOf({ id, run }: { readonly id: string; readonly run: number }): string {
  return `${id}/${run}`;
}
