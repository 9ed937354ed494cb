/** The part of the model of random sequences that knows which event batches must still come, and which may. */
import type { Broker } from '../../src/broker/broker.js';
import type { BatchDelivery } from '../../src/broker/event-channel.js';
import { eventually } from '../support/eventually.js';

export interface BatchModel {
  readonly faults: readonly string[];
  receive(delivery: BatchDelivery): void;
  publish(broker: Broker, size: number): Promise<void>;
  settle(pick: number, how: 'ack' | 'return'): Promise<void>;
  /** Leaves `open` acks and publishes under way. */
  beginCrash(broker: Broker, open: number): void;
  crashed(): void;
  stopped(): void;
  /** Acks all that comes until nothing is owed. */
  drain(): Promise<void>;
}

export function createBatchModel(keepsAcks: boolean): BatchModel {
  const owed = new Set<string>();
  const unsure = new Set<string>();
  /** Acked in this life: a crash makes these unsure, unless acks are kept. */
  let ended = new Set<string>();
  let hand: BatchDelivery[] = [];
  let published = 0;
  const faults: string[] = [];

  const name = ({ batch }: BatchDelivery): string => batch.toString();

  function fresh(size: number): { key: string; batch: Buffer } {
    const key = `${published++}:${'x'.repeat(size)}`;
    return { key, batch: Buffer.from(key) };
  }

  function end(delivery: BatchDelivery): void {
    hand = hand.filter((one) => one !== delivery);
    for (const set of [owed, unsure]) set.delete(name(delivery));
    ended.add(name(delivery));
  }

  return {
    faults,
    receive(delivery) {
      const key = name(delivery);
      if (!owed.has(key) && !unsure.has(key))
        faults.push(`batch ${key.slice(0, 20)} came back after it was acked`);
      else hand.push(delivery);
    },
    async publish(broker, size) {
      const { key, batch } = fresh(size);
      owed.add(key);
      await broker.events.publish(batch).done;
    },
    async settle(pick, how) {
      const delivery = hand[pick % Math.max(1, hand.length)];
      if (delivery === undefined) return;
      if (how === 'ack') {
        end(delivery);
        return delivery.ack();
      }
      hand = hand.filter((one) => one !== delivery);
      return delivery.return();
    },
    beginCrash(broker, open) {
      for (const delivery of hand.slice(0, open)) {
        end(delivery);
        ended.delete(name(delivery));
        unsure.add(name(delivery));
        void delivery.ack().catch(() => {});
      }
      for (let i = 0; i < open; i++) {
        const { key, batch } = fresh(10);
        unsure.add(key);
        void broker.events.publish(batch).done.catch(() => {});
      }
    },
    crashed() {
      if (!keepsAcks) for (const key of ended) unsure.add(key);
      ended = new Set();
      hand = [];
    },
    stopped() {
      ended = new Set();
      hand = [];
    },
    async drain() {
      while (owed.size > 0 || hand.length > 0) {
        const delivery = hand[0];
        if (delivery === undefined) await eventually(() => hand.length > 0, 1);
        else {
          end(delivery);
          await delivery.ack();
        }
      }
    },
  };
}
