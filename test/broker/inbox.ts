/** Jobs to send, and a place that collects deliveries and tells when enough have come. */
import { v7 as uuidV7 } from 'uuid';
import type { Delivery } from '../../src/broker/broker.js';
import { acceptedAtMs, type Job } from '../../src/job/job.js';

export function makeJob(fields: Partial<Job> = {}): Job {
  const id = fields.id ?? uuidV7();
  return {
    id,
    type: 'echo',
    queue: 'default',
    lane: 'normal',
    body: Buffer.from('{"n":1}'),
    run: 1,
    attempt: 1,
    dueAtMs: acceptedAtMs({ id }),
    ...fields,
  };
}

export interface Inbox {
  readonly deliveries: Delivery[];
  /** Hand this to `consume`. */
  take(delivery: Delivery): void;
  /** Resolves with the first `count` deliveries once they are there. */
  first(count: number): Promise<Delivery[]>;
  /** Resolves once the condition holds, looked at after each delivery. */
  until(holds: (deliveries: readonly Delivery[]) => boolean): Promise<void>;
  /** The ids of all jobs delivered so far; grows as they come. */
  readonly ids: ReadonlySet<string>;
}

/** @param onDelivery  called first, such as an ack of everything */
export function createInbox(onDelivery: (delivery: Delivery) => void = () => {}): Inbox {
  const deliveries: Delivery[] = [];
  const ids = new Set<string>();
  let waiters: { holds: (all: readonly Delivery[]) => boolean; resolve: () => void }[] = [];
  const inbox: Inbox = {
    deliveries,
    take(delivery) {
      deliveries.push(delivery);
      ids.add(delivery.job.id);
      onDelivery(delivery);
      waiters = waiters.filter(({ holds, resolve }) => {
        if (!holds(deliveries)) return true;
        resolve();
        return false;
      });
    },
    async first(count) {
      await inbox.until((all) => all.length >= count);
      return deliveries.slice(0, count);
    },
    until(holds) {
      if (holds(deliveries)) return Promise.resolve();
      return new Promise((resolve) => waiters.push({ holds, resolve }));
    },
    ids,
  };
  return inbox;
}

/** What it rejects with; undefined when it resolves. */
export function rejectionOf(promise: Promise<unknown> | undefined): Promise<unknown> {
  return Promise.resolve(promise).then(
    () => undefined,
    (error: unknown) => error,
  );
}
