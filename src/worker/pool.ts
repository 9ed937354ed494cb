/** The worker pool: takes deliveries at the pace its slots allow, best lane first, and hands them to the executor. */
import pLimit, { type LimitFunction } from 'p-limit';
import type { Broker, Consumer, Delivery } from '../broker/broker.js';
import { type Lane, lanes } from '../job/job.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Health, Service } from '../runtime/service.js';
import type { HandlerSource, JobDefaults } from './attempt.js';
import { waitAtMost } from './deadline.js';
import { createExecutor, type Held } from './execute.js';
import { createGate } from './gate.js';
import { createWaitingLine, type PerLane, type WaitingLine } from './lane.js';
import type { JobObserver } from './observer.js';
import { prefetchOf, timeoutWarning, totalPrefetch, usualConsumerTimeoutMs } from './prefetch.js';
import { createSuspects } from './suspects.js';

export interface PoolOptions {
  readonly broker: Pick<Broker, 'consume' | 'takeSuspect' | 'health'>;
  readonly registry: HandlerSource;
  /** `concurrency`: handlers of this queue that run at the same time, from 1. */
  readonly queues: readonly { readonly name: string; readonly concurrency: number }[];
  /** WORKER_PREFETCH, per lane; derived when absent. */
  readonly prefetch?: number | undefined;
  readonly defaults: JobDefaults;
  /** How long `stop` waits for running handlers. */
  readonly graceMs: number;
  /** The broker's; default 30 minutes, RabbitMQ's own. */
  readonly consumerTimeoutMs?: number;
  readonly log: Log;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly observer: JobObserver;
}

export interface QueueStats {
  readonly queue: string;
  /** Handlers that run. */
  readonly active: number;
  /** Deliveries that wait here for a slot. */
  readonly waiting: number;
  readonly concurrency: number;
  /** Deliveries that may be unsettled at the same time, over all lanes. */
  readonly prefetch: number;
}

export interface Pool extends Service {
  health(): Health;
  readonly stats: { readonly queues: readonly QueueStats[] };
}

/** How long a handler may go on after its signal has aborted. */
const ABORT_GRACE_MS = 1000;
/** How long `stop` waits for the broker to take the last outcomes. With the grace above and the default of 25 s it stays below 30 s. */
const LAST_SETTLES_MS = 2000;
/** Far more than can be unsettled when a connection is lost. */
const REMEMBERED_JOBS = 10_000;
const REOPEN_MS = 1000;

interface QueueLine {
  readonly name: string;
  readonly concurrency: number;
  readonly prefetch: PerLane<number>;
  readonly waiting: WaitingLine<Held>;
  readonly limit: LimitFunction;
}

/** Build one per process; it can be started once. */
export function createPool(options: PoolOptions): Pool {
  const { broker, clock, log, defaults, graceMs, consumerTimeoutMs = usualConsumerTimeoutMs } = options;
  const stopping = new AbortController();
  const gate = createGate();
  const executor = createExecutor({
    ...options,
    consumerTimeoutMs,
    graceMs: ABORT_GRACE_MS,
    rememberedJobs: REMEMBERED_JOBS,
  });
  const suspects = createSuspects({
    broker,
    queues: options.queues.map((queue) => queue.name),
    executor,
    gate,
    clock,
    log,
    stopping: stopping.signal,
  });
  const lines = options.queues.map((queue): QueueLine => {
    const prefetch = prefetchOf({
      concurrency: queue.concurrency,
      timeoutMs: defaults.timeoutMs,
      consumerTimeoutMs,
      override: options.prefetch,
    });
    return { ...queue, prefetch, waiting: createWaitingLine(), limit: pLimit(queue.concurrency) };
  });
  const consumers = new Map<string, Consumer>();
  let started: Promise<void> | undefined;
  let stopped: Promise<void> | undefined;
  let isConsuming = false;
  let isGivingBack = false;

  function deliver(line: QueueLine, lane: Lane, delivery: Delivery): void {
    const { held, isNew } = executor.receive(delivery);
    if (!isNew) return;
    if (isGivingBack) {
      executor.giveBack(held);
      return;
    }
    line.waiting.push(lane, held);
    // One ticket per delivery: the ticket waits for a slot, and what it takes then is the best of that moment.
    void line.limit(startBest, line);
  }

  async function startBest(line: QueueLine): Promise<void> {
    while (gate.isClosed) await gate.opened();
    if (stopping.signal.aborted) return;
    const held = line.waiting.takeBest();
    if (held === undefined) return;
    // Lost while it waited: the broker delivers it again, here or to another worker that may run it by now.
    if (held.delivery.isLost) executor.giveBack(held);
    else await executor.run(held);
  }

  /** Opens the lanes that are not open yet. @throws what the broker throws */
  async function openLanes(): Promise<void> {
    for (const line of lines) {
      for (const lane of lanes) {
        const key = `${line.name}.${lane}`;
        if (consumers.has(key) || stopping.signal.aborted) continue;
        const source = { queue: line.name, lane, prefetch: line.prefetch[lane] };
        const consumer = await broker.consume(source, (delivery) => deliver(line, lane, delivery));
        consumers.set(key, consumer);
        if (stopping.signal.aborted) await consumer.cancel();
      }
    }
    isConsuming = true;
  }

  async function openLanesInTheEnd(): Promise<void> {
    while (!stopping.signal.aborted && !isConsuming) {
      try {
        await openLanes();
      } catch (error) {
        log.error({ err: error }, 'the lanes cannot be consumed; it is tried again');
        await sleep(clock, REOPEN_MS, stopping.signal);
      }
    }
  }

  /**
   * A suspect that must run alone does so before the lanes open: were it to kill this process, no job of theirs would be
   * in its hands. `start` does not wait for it, for it may take as long as its time limit.
   */
  async function open(): Promise<void> {
    const warning = timeoutWarning(defaults.timeoutMs, consumerTimeoutMs);
    if (warning !== undefined) log.warn({ timeoutMs: defaults.timeoutMs }, warning);
    const suspect = await suspects.take();
    if (suspect !== undefined && suspects.runsAlone(suspect)) {
      void suspects.run(suspect).then(openLanesInTheEnd).then(suspects.keepRunning);
      return;
    }
    const running = suspect === undefined ? Promise.resolve() : suspects.run(suspect);
    await openLanes();
    void running.then(suspects.keepRunning);
  }

  async function cancelConsumers(): Promise<void> {
    const cancelled = await Promise.allSettled([...consumers.values()].map((consumer) => consumer.cancel()));
    for (const one of cancelled) {
      if (one.status === 'rejected') log.warn({ err: one.reason }, 'a lane could not be cancelled');
    }
  }

  /** Only once the consumers are cancelled, or the broker hands the same deliveries straight back to us. */
  function giveBackWaiting(): void {
    isGivingBack = true;
    for (const line of lines) {
      for (const held of line.waiting.takeAll()) executor.giveBack(held);
    }
  }

  async function close(): Promise<void> {
    stopping.abort();
    gate.open();
    const starting = Promise.resolve(started).catch(() => {});
    const cancelled = starting.then(cancelConsumers).then(giveBackWaiting);
    await waitAtMost(clock, graceMs, Promise.all([cancelled, executor.idle()]));
    executor.abortAll();
    giveBackWaiting();
    await waitAtMost(clock, 2 * ABORT_GRACE_MS, executor.idle());
    await waitAtMost(clock, LAST_SETTLES_MS, executor.allSettled());
    executor.abandon();
  }

  return {
    start() {
      started ??= stopping.signal.aborted ? Promise.resolve() : open();
      return started;
    },
    stop() {
      stopped ??= close();
      return stopped;
    },
    health() {
      if (stopping.signal.aborted) return { ok: false, reason: 'the worker pool has been stopped' };
      if (!isConsuming) return { ok: false, reason: 'the worker pool does not consume yet' };
      return broker.health();
    },
    stats: {
      get queues() {
        return lines.map((line) => ({
          queue: line.name,
          active: executor.activeIn(line.name),
          waiting: line.waiting.size,
          concurrency: line.concurrency,
          prefetch: totalPrefetch(line.prefetch),
        }));
      },
    },
  };
}
