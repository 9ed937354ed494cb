/**
 * The broker port: the whole of what the rest of Sluice may ask of an engine. Engines: `rabbitmq/`, `embedded/`.
 * Promises are kept across reconnects and process kills; whatever an engine cannot do is named here, not guessed.
 */
import type { Job, Lane } from '../job/job.js';
import type { Death } from '../job/outcome.js';
import type { Health, Service } from '../runtime/service.js';
import type { Consumer } from './consumer.js';
import type { EventChannel } from './event-channel.js';

export type { Consumer };

export interface Broker extends Service {
  /** What a resolved `publish` means: replicated by a quorum queue, or on the disk of this machine. */
  readonly durability: 'quorum' | 'disk';
  readonly stats: Readonly<BrokerStats>;
  /** Job events on their way to the recorder, dead letters as such, and the news that registers have changed. */
  readonly events: EventChannel;

  /**
   * Stores a job: in its lane, or held back until `dueAtMs`. Resolves once it is durable and routed to a queue.
   * @throws Unavailable  not connected, blocked by an alarm, or no queue takes it at the moment: nothing was stored
   * @throws Refused      code `overloaded`: the window of unconfirmed publishes is full; code `queue_full`: the broker said no
   * @throws Invalid      the delay is longer than the engine can hold
   * @throws OutcomeUnknown  sent, but no answer within the publish timeout: it may be there; its `stored` tells a late confirm
   */
  publish(job: Job): Promise<void>;

  /**
   * Delivers the jobs of one lane, at most `prefetch` unsettled at a time, until cancelled. Survives reconnects by
   * itself; also before the first connection. A delivery that was lost with a connection or a process comes again.
   */
  consume(source: Source, deliver: (delivery: Delivery) => void): Promise<Consumer>;

  /**
   * Takes one job that was being held when a process or connection ended, often enough to be suspected of killing it,
   * or undefined when there is none. Such jobs never come by `consume`. Take the next one only after settling this one:
   * then a crash is charged to no other. After a few more losses the engine dead-letters it by itself.
   */
  takeSuspect(queues: readonly string[]): Promise<Delivery | undefined>;

  /** Counts as of now. @throws Unavailable */
  inspect(): Promise<Inspection>;

  /** Whether publishes and deliveries can flow at this moment. */
  health(): Health;
}

export interface Source {
  readonly queue: string;
  readonly lane: Lane;
  readonly prefetch: number;
}

/**
 * A job in our hands. Settle it exactly once, by one of the four. Each rejects with `Lost` when the delivery is gone
 * with its channel: then the broker delivers the job again, and nothing else needs doing. So it does, too, when an ack that has
 * resolved is lost with its channel.
 */
export interface Delivery {
  readonly job: Job;
  /**
   * How often it was lost before; 0 the first time. RabbitMQ counts every time it was handed out and not settled (a crash, a
   * drain, a lost connection), the built-in engine only the ends of a process after `started`.
   */
  readonly lostCount: number;
  /** Its channel is gone: it can no longer be settled, and the broker delivers the job again. */
  readonly isLost: boolean;
  /**
   * The handler is about to run: from now on, the end of this process is charged to the job. On record when it returns, so
   * also for a handler that kills its process in its first statement. No-op on RabbitMQ, which counts what it handed out.
   */
  started(): void;
  /** The work is done. */
  ack(): Promise<void>;
  /** Not now, not here: back to the front of its queue, at no cost to the job. */
  return(): Promise<void>;
  /** Stores `next` (its attempt and due time set by the caller) durably, then removes this one. Waits while publishing is blocked. */
  retry(next: Job): Promise<void>;
  /** Stores it durably among the dead letters, then removes this one. Waits while publishing is blocked. */
  deadLetter(death: Death): Promise<void>;
}

export interface BrokerStats {
  isUp: boolean;
  /** The broker holds back publishes (a memory or disk alarm). */
  isBlocked: boolean;
  reconnects: number;
  /** Publishes that wait for their confirm. */
  unconfirmed: number;
  /** Messages that were no jobs, moved to the dead letters with their raw bytes. */
  undecodable: number;
}

export interface Inspection {
  readonly lanes: readonly {
    readonly queue: string;
    readonly lane: Lane;
    readonly ready: number;
    readonly consumers: number;
  }[];
  readonly suspects: readonly { readonly queue: string; readonly ready: number }[];
  /** Jobs that are held back, of all queues. RabbitMQ does not count one that is just passing from level to level. */
  readonly delayed: number;
  readonly deadLetters: number;
  /** Batches of events that wait for a recorder. */
  readonly events: number;
}
