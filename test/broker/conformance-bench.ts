/** What the suite of the port needs of an engine under test. */
import type { Broker } from '../../src/broker/broker.js';

/** What engines may differ in; each difference has its tests. */
export interface Capabilities {
  /** Only jobs whose handler had started are charged with the end of a process. Else all that were handed out are. */
  readonly countsOnlyStarted: boolean;
  /** An ack that has resolved outlives a crash. Else such a job can come again after one, though never after a stop. */
  readonly keepsAcks: boolean;
  /** A job that was returned and handed out again has its old place after a crash or stop. Else it stands behind what was in hand with it. */
  readonly keepsPlaces: boolean;
}

export interface Bench {
  /** A broker with the queues `default` and `other` on the bench's store, not started. `window`: of unconfirmed publishes. */
  make(options?: { readonly window?: number }): Broker;
  /** The same, started. Each call is another process as far as the engine can tell. */
  open(options?: { readonly window?: number }): Promise<Broker>;
  /** Ends it in good order. */
  stop(broker: Broker): Promise<void>;
  /** Ends a broker as a kill of its process would: nothing is flushed or returned. */
  crash(broker: Broker): Promise<void>;
  /** Puts bytes that are no job, with the header `mine` 1, into the lane `normal` of the queue `default`. Nobody may consume it. */
  plant(broker: Broker, raw: Buffer): Promise<void>;
  close(): Promise<void>;
}

export interface AlarmBench extends Omit<Bench, 'plant'> {
  /** Makes the store short of room for anything large, or ends that. */
  setAlarm(broker: Broker, isRaised: boolean): Promise<void>;
}
