/** A broker in memory that does as the test says: each publish ends the way its script decides. It delivers nothing. */
import type { Broker, BrokerStats, Inspection } from '../../src/broker/broker.js';
import type { Job } from '../../src/job/job.js';
import type { Health } from '../../src/runtime/service.js';

export interface ScriptedBroker extends Broker {
  /** Every job handed to `publish`, in order, whatever became of it. */
  readonly asked: readonly Job[];
  /** The jobs whose publish resolved. */
  readonly stored: readonly Job[];
  readonly stats: BrokerStats;
  /** Decides each publish: throw or reject to refuse it; `index` counts from 0. The default accepts all. */
  script: (job: Job, index: number) => Promise<void> | void;
  healthNow: Health;
  /** What `inspect` answers. */
  inspection: () => Promise<Inspection>;
  /** Resolves once `count` publishes have been asked for. */
  untilAsked(count: number): Promise<void>;
}

export function createScriptedBroker(): ScriptedBroker {
  const asked: Job[] = [];
  const stored: Job[] = [];
  const watchers = new Set<() => void>();
  const broker: ScriptedBroker = {
    asked,
    stored,
    durability: 'quorum',
    stats: { isUp: true, isBlocked: false, reconnects: 0, unconfirmed: 0, undecodable: 0 },
    script: () => {},
    healthNow: { ok: true },
    inspection: () => Promise.resolve({ lanes: [], suspects: [], delayed: 0, deadLetters: 0, events: 0 }),
    async publish(job) {
      const index = asked.push(job) - 1;
      for (const look of watchers) look();
      await broker.script(job, index);
      stored.push(job);
    },
    untilAsked(count) {
      return new Promise((resolve) => {
        const look = (): void => {
          if (asked.length < count) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      });
    },
    consume: () => Promise.reject(new Error('the scripted broker delivers nothing')),
    events: {
      publish: () => ({ done: Promise.resolve(), withdraw() {} }),
      consume: () => Promise.reject(new Error('the scripted broker delivers nothing')),
      consumeDead: () => Promise.reject(new Error('the scripted broker delivers nothing')),
      announce: () => Promise.resolve(),
      onAnnouncement: () => Promise.resolve(() => {}),
      onBlocked: () => () => {},
    },
    takeSuspect: () => Promise.resolve(undefined),
    inspect: () => broker.inspection(),
    health: () => broker.healthNow,
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  };
  return broker;
}
