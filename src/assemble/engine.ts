/** What an engine brings to the parts that stand on it: a broker, a store, and where they are. */
import type { Broker } from '../broker/broker.js';
import type { Config } from '../config.js';
import type { Registry } from '../handler/registry.js';
import type { Log } from '../runtime/log.js';
import type { Service } from '../runtime/service.js';
import type { SqlStore } from '../store/sql-store.js';

export interface Engine {
  readonly broker: Broker;
  readonly store: SqlStore;
  /** Absolute. */
  readonly dataDir: string;
  /** The engine is our own: there at once, or not at all. */
  readonly isEmbedded: boolean;
  /** In the order in which they start; the broker and the store are among them. */
  readonly services: readonly Service[];
  /** Where the jobs lie, for a person. */
  readonly place: string;
  /** How long it lets a delivery go unsettled, in ms; undefined: as long as RabbitMQ usually does. */
  readonly consumerTimeoutMs: number | undefined;
}

export interface EngineParts {
  readonly config: Config;
  readonly registry: Registry;
  /** Told the seconds from write to confirm of each publish. */
  readonly confirmed: (seconds: number) => void;
  readonly log: Log;
}

export const PUBLISH_TIMEOUT_MS = 10_000;

/** Nothing can go on without it, and nothing is lost by an end: the process ends and is started again. */
export function failed(error: Error): never {
  throw error;
}
