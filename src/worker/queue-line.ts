/**
 * One queue of the pool: the consumers that bring its jobs, the line in which these wait, and the slots in which they run. It is
 * told how it should be, at any time, and comes to be so one step after the other, as soon as the broker lets it.
 */
import pLimit from 'p-limit';
import type { Broker, Consumer, Delivery } from '../broker/broker.js';
import { type Lane, lanes } from '../job/job.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Executor, Held } from './execute.js';
import type { Gate } from './gate.js';
import { createJobTime, type Measured } from './job-time.js';
import { createWaitingLine, type PerLane } from './lane.js';
import { differs, totalPrefetch } from './prefetch.js';

const TRY_AGAIN_MS = 1000;
/** How often the prefetch is held against the time that jobs take. */
const REVIEW_MS = 500;

export interface QueueLineOptions {
  readonly name: string;
  /** Handlers that run at the same time, unless ordered otherwise. */
  readonly concurrency: number;
  /** `measured`: undefined until a job has ended here. */
  readonly prefetchFor: (concurrency: number, measured: Measured | undefined) => PerLane<number>;
  readonly broker: Pick<Broker, 'consume'>;
  readonly executor: Executor;
  readonly gate: Gate;
  readonly clock: Clock;
  readonly log: Log;
  readonly stopping: AbortSignal;
}

/** How operators want it. */
export interface QueueWish {
  readonly isPaused: boolean;
  /** Undefined: as set. */
  readonly concurrency?: number | undefined;
}

export interface QueueStats {
  readonly queue: string;
  /** Handlers that run. */
  readonly active: number;
  /** Deliveries that wait here for a slot. */
  readonly waiting: number;
  readonly concurrency: number;
  /** Deliveries that may be unsettled at the same time, over all lanes; 0 while it is paused. */
  readonly prefetch: number;
  readonly isPaused: boolean;
}

export interface QueueLine {
  readonly name: string;
  readonly isPaused: boolean;
  readonly stats: QueueStats;
  /** Deliveries wait here for a slot. */
  readonly hasWaiting: boolean;
  /** Begins to consume, unless it is paused. Called again after a failure, it goes on where it was. @throws what the broker throws */
  open(): Promise<void>;
  /** Begins to do as asked, and keeps trying. */
  ask(wish: QueueWish): void;
  /** Takes out of the line what is not to run, and concludes it. */
  dropWaiting(isUnwanted: (held: Held) => boolean): void;
  /** Cancels the consumers, once it is stopping. Never rejects. */
  close(): Promise<void>;
  /** Returns what waits, and all that comes later. Not before the consumers are cancelled, or the broker hands it straight back to us. */
  giveBack(): void;
}

export function createQueueLine(options: QueueLineOptions): QueueLine {
  const { name, prefetchFor, broker, executor, gate, clock, log, stopping } = options;
  const waiting = createWaitingLine<Held>();
  const slots = pLimit(options.concurrency);
  /** Slots that work off what waits, or have nothing to do. */
  let open = 0;
  /** Of these, what wakes each that has nothing to do. */
  const free: (() => void)[] = [];
  const consumers = new Map<Lane, Consumer>();
  let isPaused = false;
  const jobTime = createJobTime(clock);
  let measured: Measured | undefined;
  let reviewedAtMs = clock.now();
  let prefetch = prefetchFor(options.concurrency, measured);
  /** With which the consumers were opened. */
  let consumed: PerLane<number> | undefined;
  let isOpen = false;
  let isGivingBack = false;
  let steps: Promise<void> = Promise.resolve();

  /** The prefetch to consume with, or undefined when nothing is to come. */
  const wanted = (): PerLane<number> | undefined =>
    isOpen && !isPaused && !stopping.aborted ? prefetch : undefined;

  function deliver(lane: Lane, delivery: Delivery): void {
    const { held, isNew } = executor.receive(delivery);
    if (!isNew) return;
    if (isGivingBack) {
      executor.giveBack(held);
      return;
    }
    waiting.push(lane, held);
    callSlot();
  }

  /** One that is free, or a new one, takes what waits. A slot stays open when it has nothing to do: opening one is dear. */
  function callSlot(): void {
    const wake = free.pop();
    if (wake !== undefined) wake();
    else if (open < slots.concurrency) {
      open += 1;
      void slots(workOff);
    }
  }

  /** Takes what is best at each moment, as long as it is not a slot too many. */
  async function workOff(): Promise<void> {
    while (open <= slots.concurrency) {
      while (gate.isClosed) await gate.opened();
      const held = isPaused || stopping.aborted ? undefined : waiting.takeBest();
      if (held === undefined) await new Promise<void>((resolve) => free.push(resolve));
      else {
        const one = jobTime.began();
        await begin(held);
        jobTime.ended(one);
        review();
      }
    }
    open -= 1;
  }

  /** Of what waits as much as slots are free for, after it was held back. */
  function callSlots(): void {
    for (let count = Math.min(waiting.size, slots.concurrency); count > 0; count--) callSlot();
  }

  /** Now and then, whenever there is an occasion: fast jobs need more in hand, slow ones must not be hoarded. */
  function review(): void {
    const sinceMs = clock.now() - reviewedAtMs;
    if (sinceMs >= 0 && sinceMs < REVIEW_MS) return;
    reviewedAtMs = clock.now();
    measured = jobTime.look();
    const derived = prefetchFor(slots.concurrency, measured);
    if (!differs(derived, prefetch)) return;
    log.debug(
      { queue: name, ...measured, prefetch: derived },
      'the prefetch follows the time that jobs take',
    );
    prefetch = derived;
    void next(followInTheEnd);
  }

  function begin(held: Held): Promise<void> | undefined {
    if (!held.delivery.isLost) return executor.run(held);
    // Lost while it waited: the broker delivers it again, here or to another worker that may run it by now.
    executor.giveBack(held);
    return undefined;
  }

  function giveBack(): void {
    for (const held of waiting.takeAll()) executor.giveBack(held);
  }

  /** Makes the consumers as they are wanted, also when that changes meanwhile. @throws what the broker throws */
  async function follow(): Promise<void> {
    for (;;) {
      const target = wanted();
      if (consumers.size > 0 && consumed !== target) await cancelConsumers();
      else if (target !== undefined && consumers.size < lanes.length) await openLanes(target);
      else return;
    }
  }

  async function openLanes(target: PerLane<number>): Promise<void> {
    consumed = target;
    isGivingBack = false;
    for (const lane of lanes) {
      if (wanted() !== target) return;
      if (consumers.has(lane)) continue;
      const source = { queue: name, lane, prefetch: target[lane] };
      consumers.set(lane, await broker.consume(source, (delivery) => deliver(lane, delivery)));
    }
  }

  /** @throws what the broker throws; when it stops, it goes on all the same */
  async function cancelConsumers(): Promise<void> {
    const cancelled = await Promise.allSettled(
      [...consumers].map(async ([lane, consumer]) => {
        await consumer.cancel();
        consumers.delete(lane);
      }),
    );
    const failed = cancelled.filter((one) => one.status === 'rejected');
    if (stopping.aborted) {
      for (const { reason } of failed)
        log.warn({ queue: name, err: reason }, 'a lane could not be cancelled');
      consumers.clear();
      return; // the pool gives back, once all its queues are closed
    }
    if (failed[0] !== undefined) throw failed[0].reason;
    const target = wanted();
    isGivingBack = target === undefined;
    // Fewer slots: what waits in excess might wait for long. Others may take it.
    if (target === undefined || waiting.size > totalPrefetch(target)) giveBack();
  }

  async function followInTheEnd(): Promise<void> {
    while (!stopping.aborted) {
      try {
        await follow();
        return;
      } catch (error) {
        log.error(
          { queue: name, err: error },
          'the lanes of a queue cannot be opened or closed; it is tried again',
        );
        await sleep(clock, TRY_AGAIN_MS, stopping);
      }
    }
  }

  /** One step at a time. */
  function next(step: () => Promise<void>): Promise<void> {
    const taken = steps.then(step);
    steps = taken.catch(() => {});
    return taken;
  }

  return {
    name,
    get isPaused() {
      return isPaused;
    },
    get hasWaiting() {
      return waiting.size > 0;
    },
    get stats() {
      return {
        queue: name,
        active: executor.activeIn(name),
        waiting: waiting.size,
        concurrency: slots.concurrency,
        prefetch: isPaused ? 0 : totalPrefetch(prefetch),
        isPaused,
      };
    },
    open() {
      isOpen = true;
      return next(follow);
    },
    ask(wish) {
      review();
      const concurrency = wish.concurrency ?? options.concurrency;
      if (wish.isPaused === isPaused && concurrency === slots.concurrency) return;
      log.info({ queue: name, isPaused: wish.isPaused, concurrency }, 'a queue is worked on as ordered');
      if (concurrency !== slots.concurrency) {
        slots.concurrency = concurrency;
        for (const wake of free.splice(0)) wake(); // Some may have to close.
        const derived = prefetchFor(concurrency, measured);
        if (lanes.some((lane) => derived[lane] !== prefetch[lane])) prefetch = derived;
      }
      isPaused = wish.isPaused;
      callSlots();
      void next(followInTheEnd);
    },
    dropWaiting(isUnwanted) {
      for (const held of waiting.takeWhere(isUnwanted)) void begin(held);
    },
    close: () => next(follow).catch(() => {}),
    giveBack() {
      isGivingBack = true;
      giveBack();
    },
  };
}
