/** The worker pool: takes deliveries at the pace its slots allow, best lane first, and hands them to the executor. */
import type { Broker } from '../broker/broker.js';
import type { EventChannel } from '../broker/event-channel.js';
import { mostConcurrency } from '../config/kinds.js';
import type { EventSender } from '../events/sender.js';
import type { Orders, QueueOrder } from '../job/orders.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Health, Service } from '../runtime/service.js';
import type { HandlerSource, JobDefaults } from './attempt.js';
import { waitAtMost } from './deadline.js';
import { createExecutor } from './execute.js';
import { createGate } from './gate.js';
import type { JobObserver } from './observer.js';
import { createStandingOrders } from './orders.js';
import { prefetchOf, timeoutWarning, usualConsumerTimeoutMs } from './prefetch.js';
import { createQueueLine, type QueueStats } from './queue-line.js';
import type { AttemptSpans } from './spans.js';
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
  /** Without it no attempt is shown as a span. */
  readonly spans?: AttemptSpans | undefined;
  readonly events: Pick<EventSender, 'tell' | 'recordFor'>;
  /** RESULT_MAX_BYTES, from 0: what is kept of a result. */
  readonly resultMaxBytes: number;
  /** Takes secrets out of what is told of a failure. */
  readonly mask?: (text: string) => string;
  /** The registers that workers obey. @throws when the store cannot be read */
  readonly readOrders: () => Promise<Orders>;
  /** Of the broker's event channel: that registers have changed. */
  readonly onAnnouncement: EventChannel['onAnnouncement'];
}

export interface Pool extends Service {
  health(): Health;
  readonly stats: {
    readonly queues: readonly QueueStats[];
    /** Deliveries in hand: that wait, run, or are not settled yet. */
    readonly held: number;
    /** Some of them wait for a slot. */
    readonly hasWaiting: boolean;
  };
}

/** How long a handler may go on after its signal has aborted. */
const ABORT_GRACE_MS = 1000;
/** How long `stop` waits for the broker to take the last outcomes. With the grace above and the default of 25 s it stays below 30 s. */
const LAST_SETTLES_MS = 2000;
/** How long it waits then for the broker to take back those jobs whose events could not be brought out. */
const LAST_RETURNS_MS = 500;
/** How long `start` waits for the orders of operators. */
const START_PATIENCE_MS = 5000;
/** Far more than can be unsettled when a connection is lost. */
const REMEMBERED_JOBS = 10_000;
const REOPEN_MS = 1000;

/** Build one per process; it can be started once. */
export function createPool(options: PoolOptions): Pool {
  const { broker, clock, log, defaults, graceMs, consumerTimeoutMs = usualConsumerTimeoutMs } = options;
  const stopping = new AbortController();
  const gate = createGate();
  const orders = createStandingOrders({ ...options, changed: obey, stopping: stopping.signal });
  const executor = createExecutor({
    ...options,
    isCancelled: orders.isCancelled,
    causeToCancel: orders.causeToCancel,
    consumerTimeoutMs,
    graceMs: ABORT_GRACE_MS,
    rememberedJobs: REMEMBERED_JOBS,
  });
  const suspects = createSuspects({
    broker,
    queues: () => lines.filter((line) => !line.isPaused).map((line) => line.name),
    executor,
    gate,
    clock,
    log,
    stopping: stopping.signal,
  });
  const lines = options.queues.map((queue) =>
    createQueueLine({
      ...queue,
      prefetchFor: (concurrency, measured) =>
        prefetchOf({
          concurrency,
          measured,
          timeoutMs: defaults.timeoutMs,
          consumerTimeoutMs,
          override: options.prefetch,
        }),
      broker,
      executor,
      gate,
      clock,
      log,
      stopping: stopping.signal,
    }),
  );
  let started: Promise<void> | undefined;
  let stopped: Promise<void> | undefined;
  let isConsuming = false;

  function obey(): void {
    executor.cancelOrdered();
    for (const line of lines) {
      const order = orders.of(line.name);
      line.ask({ isPaused: order?.isPaused ?? false, concurrency: concurrencyOf(order) });
      line.dropWaiting(({ job }) => orders.causeToCancel(job) !== undefined);
    }
  }

  /** @throws what the broker throws */
  async function openLanes(): Promise<void> {
    for (const line of lines) await line.open();
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
  async function open(openOthers: () => Promise<void>): Promise<void> {
    if (stopping.signal.aborted) return;
    const warning = timeoutWarning(defaults.timeoutMs, consumerTimeoutMs);
    if (warning !== undefined) log.warn({ timeoutMs: defaults.timeoutMs }, warning);
    const suspect = await suspects.take();
    if (suspect !== undefined && suspects.runsAlone(suspect)) {
      void suspects.run(suspect).then(openLanesInTheEnd).then(suspects.keepRunning);
      return;
    }
    const running = suspect === undefined ? Promise.resolve() : suspects.run(suspect);
    await openOthers();
    void running.then(suspects.keepRunning);
  }

  /** Without orders nothing runs: a cancelled job would. `start` waits for them, but not as long as a store may be away. */
  async function begin(): Promise<void> {
    const isKnown = orders.follow();
    if (await waitAtMost(clock, START_PATIENCE_MS, isKnown)) return open(openLanes);
    void isKnown.then(() => open(openLanesInTheEnd));
  }

  function giveBackWaiting(): void {
    for (const line of lines) line.giveBack();
  }

  async function close(): Promise<void> {
    stopping.abort();
    gate.open();
    const starting = Promise.resolve(started).catch(() => {});
    const cancelled = starting
      .then(() => Promise.all(lines.map((line) => line.close())))
      .then(giveBackWaiting);
    await waitAtMost(clock, graceMs, Promise.all([cancelled, executor.idle()]));
    executor.abortAll();
    giveBackWaiting();
    await waitAtMost(clock, 2 * ABORT_GRACE_MS, executor.idle());
    await waitAtMost(clock, LAST_SETTLES_MS, executor.allSettled());
    await waitAtMost(clock, LAST_RETURNS_MS, executor.abandon());
  }

  return {
    start() {
      started ??= stopping.signal.aborted ? Promise.resolve() : begin();
      return started;
    },
    stop() {
      stopped ??= close();
      return stopped;
    },
    health() {
      if (stopping.signal.aborted) return { ok: false, reason: 'the worker pool has been stopped' };
      if (!isConsuming) {
        const why = orders.fault === undefined ? '' : `: ${orders.fault}`;
        return { ok: false, reason: `the worker pool does not consume yet${why}` };
      }
      const health = broker.health();
      return health.ok && orders.fault !== undefined ? { ok: true, note: orders.fault } : health;
    },
    stats: {
      get queues() {
        return lines.map((line) => line.stats);
      },
      get held() {
        return executor.heldCount;
      },
      get hasWaiting() {
        return lines.some((line) => line.hasWaiting);
      },
    },
  };
}

/** Undefined: the setting holds. */
function concurrencyOf(order: QueueOrder | undefined): number | undefined {
  const { concurrency } = order ?? {};
  if (concurrency === undefined || !Number.isSafeInteger(concurrency) || concurrency < 1) return undefined;
  return Math.min(concurrency, mostConcurrency);
}
