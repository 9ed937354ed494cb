/** Deliveries by script, in memory: each counts its settles and can be lost or made to fail. */
import type { Consumer, Delivery, Source } from '../../../src/broker/broker.js';
import { Lost } from '../../../src/job/errors.js';
import type { Job, Lane } from '../../../src/job/job.js';
import type { Death } from '../../../src/job/outcome.js';
import type { Health } from '../../../src/runtime/service.js';

export type Settlement =
  | { readonly kind: 'acked' }
  | { readonly kind: 'returned' }
  | { readonly kind: 'retried'; readonly next: Job }
  | { readonly kind: 'dead'; readonly death: Death };

export interface ScriptedDelivery extends Delivery {
  /** What was asked for, in order, whether it was taken or not. */
  readonly asked: readonly Settlement[];
  /** How often `started` was called. */
  readonly starts: number;
  /** Resolves with the settle that was taken. */
  readonly settled: Promise<Settlement>;
  /** From now on every settle rejects with `Lost`; a settle that hangs does so too. */
  lose(): void;
  /** The next settle rejects with `error`. */
  failNext(error: Error): void;
  /** Settles hang from now on until lost or `resume`. */
  hang(): void;
  resume(): void;
}

export function createDelivery(job: Job, lostCount = 0): ScriptedDelivery {
  const asked: Settlement[] = [];
  const failures: Error[] = [];
  let isLost = false;
  let isSettled = false;
  let starts = 0;
  let hanging: Promise<void> | undefined;
  let endHang = (): void => {};
  let take: (settlement: Settlement) => void = () => {};
  const settled = new Promise<Settlement>((resolve) => {
    take = resolve;
  });

  async function settle(settlement: Settlement): Promise<void> {
    asked.push(settlement);
    if (isSettled) throw new Error(`job ${job.id} was settled twice`);
    await hanging;
    if (isLost) throw new Lost('the channel is gone');
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    isSettled = true;
    take(settlement);
  }

  return {
    job,
    lostCount,
    get isLost() {
      return isLost;
    },
    asked,
    settled,
    get starts() {
      return starts;
    },
    started() {
      starts += 1;
    },
    ack: () => settle({ kind: 'acked' }),
    return: () => settle({ kind: 'returned' }),
    retry: (next) => settle({ kind: 'retried', next }),
    deadLetter: (death) => settle({ kind: 'dead', death }),
    lose() {
      isLost = true;
      endHang();
    },
    failNext: (error) => failures.push(error),
    hang() {
      hanging = new Promise((resolve) => {
        endHang = resolve;
      });
    },
    resume: () => endHang(),
  };
}

export interface ScriptedBroker {
  readonly sources: readonly (Source & { readonly isCancelled: boolean })[];
  /** What was called, in order: `consume <queue>.<lane>`, `cancel <queue>.<lane>`, `takeSuspect`. */
  readonly calls: readonly string[];
  readonly suspects: ScriptedDelivery[];
  /** Hands the job to the consumer of its lane. */
  deliver(job: Job, lostCount?: number): ScriptedDelivery;
  /** The next calls fail with this error, until it is undefined. */
  consumeFailure: Error | undefined;
  suspectFailure: Error | undefined;
  cancelFailure: Error | undefined;
  /** Awaited by every cancel. */
  cancelling: Promise<void>;
  /** Awaited by every consume. */
  consuming: Promise<void>;
  currentHealth: Health;
  consume(source: Source, deliver: (delivery: Delivery) => void): Promise<Consumer>;
  takeSuspect(queues: readonly string[]): Promise<Delivery | undefined>;
  health(): Health;
}

export function createScriptedBroker(): ScriptedBroker {
  const lanes: { queue: string; lane: Lane; prefetch: number; isCancelled: boolean }[] = [];
  const delivers = new Map<string, (delivery: Delivery) => void>();
  const calls: string[] = [];
  const suspects: ScriptedDelivery[] = [];
  return {
    sources: lanes,
    calls,
    suspects,
    consumeFailure: undefined,
    suspectFailure: undefined,
    cancelFailure: undefined,
    cancelling: Promise.resolve(),
    consuming: Promise.resolve(),
    currentHealth: { ok: true },
    deliver(job, lostCount = 0) {
      const delivery = createDelivery(job, lostCount);
      const deliver = delivers.get(`${job.queue}.${job.lane}`);
      if (deliver === undefined) throw new Error(`nobody consumes ${job.queue}.${job.lane}`);
      deliver(delivery);
      return delivery;
    },
    async consume(source, deliver) {
      calls.push(`consume ${source.queue}.${source.lane}`);
      await this.consuming;
      if (this.consumeFailure !== undefined) throw this.consumeFailure;
      const lane = { ...source, isCancelled: false };
      lanes.push(lane);
      delivers.set(`${source.queue}.${source.lane}`, deliver);
      return {
        cancel: async () => {
          calls.push(`cancel ${source.queue}.${source.lane}`);
          await this.cancelling;
          if (this.cancelFailure !== undefined) throw this.cancelFailure;
          lane.isCancelled = true;
        },
      };
    },
    async takeSuspect() {
      calls.push('takeSuspect');
      if (this.suspectFailure !== undefined) throw this.suspectFailure;
      return suspects.shift();
    },
    health() {
      return this.currentHealth;
    },
  };
}
