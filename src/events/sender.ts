/**
 * Where a process says what happened to jobs: gathers events into batches and brings these to the recorder's queue. One batch is on
 * its way at a time, the next one gathers meanwhile: small when quiet, large when busy. While the broker takes nothing, batches go
 * to the spool instead, and from there to the broker once it takes them again.
 */
import type { EventChannel } from '../broker/event-channel.js';
import { Unavailable } from '../job/errors.js';
import type { EventBatch, JobEvent } from '../job/event.js';
import { encodeBatch } from '../job/event-codec.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Service } from '../runtime/service.js';
import { createGathering } from './gathering.js';
import { createPending, MOST_PENDING, type Waiter } from './pending.js';
import type { Spool } from './spool.js';

/** A source that has nothing to say says so after this time. */
const SIGN_OF_LIFE_MS = 15_000;
/** After a moment of quiet it says how many deliveries it still has in hand, when that has changed since it was told. */
const SETTLED_MS = 1000;
/** How long `stop` waits for the broker before what is left goes to the spool. */
const STOP_PATIENCE_MS = 5000;

export interface EventSender extends Service {
  /** This process, as in its batches. */
  readonly source: string;
  /** Says it when there is an opportunity. A crash within the next moments can lose it. Never throws. */
  tell(event: JobEvent): void;
  /**
   * Resolves once the event is durable: confirmed by the broker, or on the disk of the spool while the broker takes nothing.
   * @throws Unavailable  the sender has stopped, and neither took it
   */
  record(event: JobEvent): Promise<void>;
  /** The same for whom a promise each is too dear; it is told after this returns, and must not throw. */
  recordFor(event: JobEvent, waiter: Waiter): void;
  readonly stats: Readonly<EventSenderStats>;
}

export interface EventSenderStats {
  /** Events that are not durable yet. */
  pending: number;
  /** Events in the spool. */
  spooled: number;
  /** `started` and `progressed` that were dropped because too much was pending. */
  dropped: number;
}

export interface EventSenderOptions {
  /** One life of one process: a UUID. */
  readonly source: string;
  readonly role: EventBatch['role'];
  /** Host name and process id, for people. */
  readonly host: string;
  readonly channel: Pick<EventChannel, 'publish' | 'onBlocked'>;
  /** The broker holds back publishes. */
  readonly isBlocked: () => boolean;
  /** Deliveries in the hands of this process. */
  readonly held: () => number;
  /** Some of them wait for a slot. */
  readonly hasWaiting: () => boolean;
  readonly spool: Spool;
  /** Of one batch; default 1,000. */
  readonly mostEvents?: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** The batch that is on its way. */
interface Flight {
  readonly bytes: Buffer;
  readonly events: number;
  readonly waiters: readonly Waiter[];
  readonly isLast: boolean;
  /** While the broker has it. */
  withdraw: (() => void) | undefined;
  /** Neither the broker nor the spool takes it at the moment. */
  isHeld: boolean;
}

export function createEventSender(options: EventSenderOptions): EventSender {
  const { source, role, host, channel, isBlocked, held, hasWaiting, spool, clock, log } = options;
  const pending = createPending(options.mostEvents);
  const gathering = createGathering({ pending, hasWaiting, clock, over: schedule });
  let phase: 'new' | 'running' | 'stopping' | 'stopped' = 'new';
  let starting: Promise<void> | undefined;
  let stopped: Promise<void> | undefined;
  let seq = 0;
  let flight: Flight | undefined;
  let isScheduled = false;
  let isLastMade = false;
  /** Gone when `stop` has waited long enough: then what is left goes to the spool. */
  let hasPatience = true;
  let flushed: () => void = () => undefined;
  let lastBatchAtMs = 0;
  let toldHeld = 0;
  let callOffTick: () => void = () => undefined;
  let unsubscribe: () => void = () => undefined;
  let isUnspooling = false;
  let unspooled: Promise<void> = Promise.resolve();
  let adopted: Promise<void> = Promise.resolve();
  let withdrawSpooled: (() => void) | undefined;

  /** More waits than should: whatever keeps the batch on its way, it and what follows go to the spool meanwhile. */
  const isCrowded = (): boolean => pending.size >= MOST_PENDING;
  const takesPublishes = (): boolean => hasPatience && !isBlocked() && !isCrowded();

  /** At the end of this turn of the loop: what is said within it goes together. */
  function schedule(): void {
    if (isScheduled || flight !== undefined || phase === 'new') return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      sendNext();
    });
  }

  const isTime = (): boolean => phase !== 'running' || gathering.isOver();

  function scheduleInTime(): void {
    if (flight === undefined && isTime()) schedule(); // Behind a batch that is on its way `next` sees to it.
  }

  function sendNext(): void {
    if (flight !== undefined || phase === 'new' || phase === 'stopped') return;
    const isEnding = phase === 'stopping';
    const { events, waiters } = pending.take(!isEnding && isBlocked());
    if (isEnding && events.length === 0 && (isLastMade || seq === 0)) flushed();
    else if (isEnding || events.length > 0) send(events, waiters, isEnding && pending.size === 0);
  }

  function send(events: JobEvent[], waiters: readonly Waiter[], isLast: boolean): void {
    seq++;
    isLastMade = isLast;
    lastBatchAtMs = clock.now();
    if (events.length > 0) gathering.sent();
    const wasIdle = toldHeld === 0;
    toldHeld = held();
    if (wasIdle && toldHeld > 0 && phase === 'running') tickIn(SETTLED_MS);
    const bytes = encodeBatch({
      source,
      seq,
      role,
      host,
      atMs: lastBatchAtMs,
      held: toldHeld,
      isLast,
      events,
    });
    flight = { bytes, events: events.length, waiters, isLast, withdraw: undefined, isHeld: false };
    dispatch(flight);
  }

  function dispatch(batch: Flight): void {
    batch.isHeld = false;
    if (takesPublishes()) publish(batch);
    else void toSpool(batch, false);
  }

  function publish(batch: Flight): void {
    batch.withdraw = publishBytes(
      batch.bytes,
      () => settle(batch),
      (error) => {
        log.debug({ err: error }, 'a batch of events was refused; it is spooled');
        batch.withdraw = undefined;
        void toSpool(batch, true);
      },
    );
  }

  /** Calls one of the two, unless it is withdrawn before by the function returned. */
  function publishBytes(bytes: Buffer, confirmed: () => void, refused: (error: unknown) => void): () => void {
    let isWithdrawn = false;
    const { done, withdraw } = channel.publish(bytes);
    done.then(
      () => isWithdrawn || confirmed(),
      (error: unknown) => isWithdrawn || refused(error),
    );
    return () => {
      isWithdrawn = true;
      withdraw();
    };
  }

  async function toSpool(batch: Flight, wasRefused: boolean): Promise<void> {
    if (await spool.write(batch.bytes, batch.events)) {
      settle(batch);
      unspool();
    } else if (!hasPatience || (phase === 'stopping' && isBlocked())) giveUp(batch);
    else if (hasPatience && !isBlocked() && !wasRefused) publish(batch);
    else batch.isHeld = true;
  }

  function settle(batch: Flight): void {
    next(batch); // First, so that the broker has work meanwhile.
    for (const waiter of batch.waiters) waiter.resolve();
  }

  function giveUp(batch: Flight): void {
    if (batch.events > 0)
      log.error({ events: batch.events }, 'events are lost: neither the broker nor the spool took them');
    const reason = stoppedError();
    next(batch);
    for (const waiter of batch.waiters) waiter.reject(reason);
  }

  function next(batch: Flight): void {
    flight = undefined;
    if (batch.isLast) flushed();
    else if (isTime()) sendNext();
  }

  /** The broker takes nothing any more: what it has in hand goes to the spool. */
  function takeBack(): void {
    withdrawSpooled?.();
    if (flight?.withdraw !== undefined) {
      flight.withdraw();
      flight.withdraw = undefined;
      void toSpool(flight, false);
    } else resume();
  }

  function resume(): void {
    if (flight?.isHeld) dispatch(flight);
    else sendNext();
    unspool();
  }

  function unspool(): void {
    if (isUnspooling || spool.stats.files === 0 || !takesPublishes()) return;
    isUnspooling = true;
    unspooled = sendSpooled().catch((error: unknown) => {
      log.warn({ err: error }, 'spooled events could not be sent; it is tried again');
    });
  }

  /** Sends what is in the spool, one batch at a time beside what is new. */
  async function sendSpooled(): Promise<void> {
    try {
      while (takesPublishes()) {
        const spooled = await spool.next();
        if (spooled === undefined) return;
        if (!takesPublishes()) return;
        const outcome = await sendOne(spooled.batch);
        if (outcome === 'refused') return;
        if (outcome === 'confirmed') await spooled.remove();
      }
    } finally {
      // Within the same turn as the last look: whoever comes later begins anew.
      isUnspooling = false;
    }
  }

  function sendOne(batch: Buffer): Promise<'confirmed' | 'refused' | 'withdrawn'> {
    return new Promise((resolve) => {
      const end = (outcome: 'confirmed' | 'refused' | 'withdrawn'): void => {
        withdrawSpooled = undefined;
        resolve(outcome);
      };
      const withdraw = publishBytes(
        batch,
        () => end('confirmed'),
        () => end('refused'),
      );
      withdrawSpooled = () => {
        withdraw();
        end('withdrawn');
      };
    });
  }

  function tickIn(ms: number): void {
    callOffTick();
    callOffTick = clock.after(ms, () => {
      const idleMs = Math.max(0, clock.now() - lastBatchAtMs);
      const hasNews = idleMs >= SETTLED_MS && held() !== toldHeld;
      const isDue = idleMs >= SIGN_OF_LIFE_MS || hasNews;
      // The last batch was made before its jobs were acked: what it says of them would stand until the next sign of life.
      if (isDue && flight === undefined && takesPublishes()) send([], [], false);
      const untilSignMs = isDue ? SIGN_OF_LIFE_MS : SIGN_OF_LIFE_MS - idleMs;
      tickIn(toldHeld > 0 ? Math.min(SETTLED_MS, untilSignMs) : untilSignMs);
      resume();
      // Others of this machine may have ended meanwhile.
      adopted = spool.open().then(unspool);
    });
  }

  async function run(): Promise<void> {
    await spool.open();
    phase = 'running';
    lastBatchAtMs = clock.now();
    unsubscribe = channel.onBlocked((isNowBlocked) => (isNowBlocked ? takeBack() : resume()));
    tickIn(SIGN_OF_LIFE_MS);
    resume();
  }

  async function end(): Promise<void> {
    await starting;
    if (phase === 'new') {
      while (pending.size > 0) for (const { reject } of pending.take(false).waiters) reject(stoppedError());
    } else {
      phase = 'stopping';
      callOffTick();
      gathering.callOff();
      const whenFlushed = new Promise<void>((resolve) => {
        flushed = resolve;
      });
      const callOffPatience = clock.after(STOP_PATIENCE_MS, () => {
        hasPatience = false;
        takeBack();
      });
      resume();
      await whenFlushed;
      await adopted;
      await unspooled;
      callOffPatience();
      unsubscribe();
    }
    phase = 'stopped';
    if (spool.stats.files > 0)
      log.warn({ ...spool.stats }, 'events stay in the spool; the next process that starts here sends them');
  }

  function recordFor(event: JobEvent, waiter: Waiter): void {
    if (isLastMade || phase === 'stopped') {
      queueMicrotask(() => waiter.reject(stoppedError()));
      return;
    }
    pending.add(event, waiter);
    scheduleInTime();
  }

  return {
    source,
    tell(event) {
      if (isLastMade || phase === 'stopped') return;
      const before = pending.dropped;
      pending.add(event);
      if (before === 0 && pending.dropped > 0)
        log.warn(
          {},
          'too many events wait for the broker: of those that jobs began or went on, the oldest are dropped',
        );
      if (flight?.withdraw !== undefined && isCrowded()) takeBack();
      scheduleInTime();
    },
    record: (event) => new Promise((resolve, reject) => recordFor(event, { resolve, reject })),
    recordFor,
    async start() {
      if (phase !== 'new' || stopped !== undefined) return;
      starting ??= run();
      await starting;
    },
    stop() {
      stopped ??= end();
      return stopped;
    },
    stats: {
      get pending() {
        return pending.size + (flight?.events ?? 0);
      },
      get spooled() {
        return spool.stats.events;
      },
      get dropped() {
        return pending.dropped;
      },
    },
  };
}

function stoppedError(): Unavailable {
  return new Unavailable('shutting down: this event was not recorded');
}
