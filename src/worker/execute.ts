/**
 * One delivery, one settle: the only place that settles deliveries, also those of a job that is delivered more than once. What
 * became of a job is recorded first: once its delivery is settled, nobody else could tell.
 */
import type { Delivery } from '../broker/broker.js';
import type { EventSender } from '../events/sender.js';
import type { Job } from '../job/job.js';
import { type Attempt, type AttemptOptions, createAttempts } from './attempt.js';
import type { Decision } from './decision.js';
import { ended } from './job-events.js';
import type { JobObserver } from './observer.js';
import { attemptKey, createRecent } from './recent.js';
import { createRecord, type Recording } from './record.js';
import { type ResultText, resultText } from './result.js';
import { createSettle, type Verdict, verdictOf } from './settle.js';
import { type AttemptSpans, shown } from './spans.js';

export interface ExecutorOptions extends AttemptOptions {
  readonly observer: JobObserver;
  readonly events: Pick<EventSender, 'tell' | 'recordFor'>;
  readonly spans?: AttemptSpans | undefined;
  /** What is kept of a result; what is longer is cut. */
  readonly resultMaxBytes: number;
  /** A running job of this kind is to stop. */
  readonly isCancelled: (job: Job) => boolean;
  /** How many ended jobs are remembered. */
  readonly rememberedJobs: number;
}

/** A job in our hands; written only in this file. */
export class Held {
  readonly key: string;
  readonly job: Job;
  /** The latest delivery of it: the one that is settled with its outcome. */
  delivery: Delivery;
  /** The delivery on which its verdict is being carried out. */
  inSettlement: Delivery | undefined;
  attempt: Attempt | undefined;
  /** Of its outcome, while that is not durable. */
  recording: Recording | undefined;
  #isDone = false;
  /** Made when it is first asked for, which is seldom. */
  #settled: Promise<void> | undefined;
  #resolve: (() => void) | undefined;

  constructor(key: string, delivery: Delivery) {
    this.key = key;
    this.job = delivery.job;
    this.delivery = delivery;
  }

  /** Resolves when nothing more is to be done with it here. */
  get settled(): Promise<void> {
    this.#settled ??= this.#isDone
      ? Promise.resolve()
      : new Promise((resolve) => {
          this.#resolve = resolve;
        });
    return this.#settled;
  }

  isDone(): void {
    this.#isDone = true;
    this.#resolve?.();
  }
}

export interface Executor {
  /** Takes a delivery in hand. Not new: the job is held or has ended here already, and its delivery is seen to. */
  receive(delivery: Delivery): { readonly held: Held; readonly isNew: boolean };
  /** Runs a new one; resolves when its slot is free, which may be before or after it is settled. Never rejects. */
  run(held: Held): Promise<void>;
  /** Returns one that was never run to its queue. */
  giveBack(held: Held): void;
  /** Ends every running handler because the worker stops. */
  abortAll(): void;
  /** Ends the running handlers whose jobs are cancelled by now. */
  cancelOrdered(): void;
  /**
   * Gives up outcomes that the broker does not take: their jobs are delivered again. Those whose events are not durable are
   * returned; resolves when that is done.
   */
  abandon(): Promise<void>;
  /** Resolves when no handler holds a slot. */
  idle(): Promise<void>;
  /** Resolves when all that is held now is settled. */
  allSettled(): Promise<void>;
  /** Slots taken by jobs of one queue. */
  activeIn(queue: string): number;
  /** Jobs in hand: that wait, run, or are not settled yet. */
  readonly heldCount: number;
}

export function createExecutor(options: ExecutorOptions): Executor {
  const { clock, log, observer, random } = options;
  const begin = shown(createAttempts(options), options.spans);
  const abandoned = new AbortController();
  const settle = createSettle({ clock, random, log, abandoned: abandoned.signal });
  const record = createRecord({ events: options.events, clock, random, log, abandoned: abandoned.signal });
  const typesWarnedOf = new Set<string>();
  const recent = createRecent<Held, Verdict>(options.rememberedJobs);
  const active = createActiveCount();

  /**
   * The newer delivery carries the job from here on. The former one is lost, or it was a second copy: either way the job
   * is safe in the newer one, and a copy that stayed unsettled would take up prefetch for ever.
   */
  function adopt(held: Held, delivery: Delivery): void {
    const former = held.delivery;
    held.delivery = delivery;
    if (former !== held.inSettlement) settle(former, { kind: 'settled' }, () => {});
  }

  /** What is kept of what its handler returned. A value that cannot be told makes no failure: the work is done. */
  function resultOf(job: Job, value: unknown): ResultText {
    return resultText(value, options.resultMaxBytes, (error) => {
      if (typesWarnedOf.has(job.type)) return;
      typesWarnedOf.add(job.type); // bounded: only types of the registry come here
      log.warn(
        { job: job.id, type: job.type, err: error },
        `what the handler of ${job.type} returned is not JSON, so no result is kept; its jobs count as succeeded`,
      );
    });
  }

  /** It stays held until its event is durable, so a redelivery is adopted and settled after that. */
  function concludeAttempt(held: Held, decision: Decision): void {
    const nowMs = clock.now();
    const event = ended(held.job, decision, nowMs, (value) => resultOf(held.job, value));
    const verdict = verdictOf(decision, nowMs);
    if (event === undefined) conclude(held, verdict);
    else {
      held.recording = record(event, (isDurable) => {
        held.recording = undefined;
        conclude(held, isDurable ? verdict : { kind: 'returned' });
      });
    }
  }

  /** Settles the latest delivery; one that arrives meanwhile is settled with the outcome, or removed if that is stored already. */
  function conclude(held: Held, verdict: Verdict): void {
    held.inSettlement = held.delivery;
    settle(held.delivery, verdict, (isTaken) => {
      const rest = isTaken ? told(held, verdict) : verdict;
      if (held.inSettlement !== held.delivery) conclude(held, rest);
      else letGo(held, rest);
    });
  }

  /** Once it is stored, an outcome is told. What is left to do with another delivery is to remove it. */
  function told({ job }: Held, verdict: Verdict): Verdict {
    if (verdict.kind === 'returned' || verdict.kind === 'settled') return verdict;
    try {
      observer.settled(job, verdict.kind, verdict.durationMs);
    } catch (error) {
      log.error({ job: job.id, err: error }, 'an observer of settled jobs has thrown');
    }
    return isSettled;
  }

  function letGo(held: Held, verdict: Verdict): void {
    if (verdict.kind === 'returned') recent.forget(held.key);
    else recent.finish(held.key, verdict);
    held.isDone();
  }

  /** @throws when nothing can begin here */
  function beginAttempt(held: Held, released: () => void): Attempt {
    held.delivery.started(); // Before the payload is parsed: that, too, can end a process.
    return begin(held.job, { decided: (decision) => concludeAttempt(held, decision), released });
  }

  return {
    receive(delivery) {
      const { job } = delivery;
      if (delivery.lostCount > 0) observer.redelivered(job);
      const key = attemptKey(job);
      const known = recent.held(key);
      if (known !== undefined) {
        adopt(known, delivery);
        return { held: known, isNew: false };
      }
      const held = new Held(key, delivery);
      recent.hold(key, held);
      const verdict = recent.verdict(key);
      if (verdict !== undefined) conclude(held, verdict);
      return { held, isNew: verdict === undefined };
    },

    run(held) {
      const { id, type, queue } = held.job;
      active.add(queue);
      return new Promise((resolve) => {
        const released = (): void => {
          active.remove(queue);
          resolve();
        };
        try {
          held.attempt = beginAttempt(held, released);
        } catch (error) {
          log.error({ job: id, type, err: error }, 'the job could not be begun and goes back to its queue');
          conclude(held, { kind: 'returned' });
          void held.settled.then(released);
        }
      });
    },

    giveBack(held) {
      conclude(held, { kind: 'returned' });
    },

    abortAll() {
      for (const held of recent.allHeld()) held.attempt?.abort();
    },
    cancelOrdered() {
      for (const held of recent.allHeld()) if (options.isCancelled(held.job)) held.attempt?.cancel();
    },
    async abandon() {
      abandoned.abort();
      const unrecorded = recent.allHeld().filter((held) => held.recording !== undefined);
      for (const { recording } of unrecorded) recording?.giveUp();
      await Promise.all(unrecorded.map((held) => held.settled));
    },
    idle: () => active.none(),
    async allSettled() {
      await Promise.all(recent.allHeld().map((held) => held.settled));
    },
    activeIn: (queue) => active.of(queue),
    get heldCount() {
      return recent.heldCount;
    },
  };
}

/** As long as the outcome of a job is remembered. */
const isSettled: Verdict = { kind: 'settled' };

/** Counts taken slots per queue, and says when there is none. */
function createActiveCount() {
  const counts = new Map<string, number>();
  let total = 0;
  let waiting: (() => void)[] = [];

  function change(queue: string, by: number): void {
    counts.set(queue, (counts.get(queue) ?? 0) + by);
    total += by;
  }

  return {
    of: (queue: string): number => counts.get(queue) ?? 0,
    add: (queue: string): void => change(queue, 1),
    remove(queue: string): void {
      change(queue, -1);
      if (total > 0) return;
      const resumed = waiting;
      waiting = [];
      for (const resume of resumed) resume();
    },
    none(): Promise<void> {
      if (total === 0) return Promise.resolve();
      return new Promise((resolve) => waiting.push(resolve));
    },
  };
}
