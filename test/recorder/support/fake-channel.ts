/** An event channel in memory: what is offered is delivered up to the prefetch, and what is not acked can be delivered again. */
import type { EventChannel, LetterDelivery } from '../../../src/broker/event-channel.js';
import type { DeadLetter } from '../../../src/broker/stock.js';

export interface FakeChannel extends Pick<EventChannel, 'consume' | 'consumeDead'> {
  offer(batch: Buffer): void;
  offerDead(letter: DeadLetter): void;
  readonly acked: number;
  readonly returned: number;
  /** Delivered, neither acked nor returned. */
  readonly unsettled: number;
  /** Resolves once that many are acked. */
  untilAcked(count: number): Promise<void>;
}

export function createFakeChannel(): FakeChannel {
  let acked = 0;
  let returned = 0;
  const watchers = new Set<() => void>();
  const lines = { events: line<Buffer>(), dead: line<DeadLetter>() };

  function line<Value>() {
    const queue: Value[] = [];
    let unsettled = 0;
    let prefetch = 0;
    let deliver: ((value: Value, settle: Pick<LetterDelivery, 'ack' | 'return'>) => void) | undefined;
    function pump(): void {
      while (deliver !== undefined && unsettled < prefetch) {
        const value = queue.shift();
        if (value === undefined) return;
        unsettled++;
        deliver(value, {
          async ack() {
            unsettled--;
            acked++;
            for (const look of watchers) look();
            pump();
          },
          async return() {
            unsettled--;
            returned++;
            queue.unshift(value);
          },
        });
      }
    }
    return {
      offer(value: Value): void {
        queue.push(value);
        pump();
      },
      async consume(most: number, take: NonNullable<typeof deliver>) {
        prefetch = most;
        deliver = take;
        pump();
        return {
          async cancel() {
            deliver = undefined;
          },
        };
      },
      get unsettled() {
        return unsettled;
      },
    };
  }

  return {
    offer: (batch) => lines.events.offer(batch),
    offerDead: (letter) => lines.dead.offer(letter),
    consume: (prefetch, deliver) =>
      lines.events.consume(prefetch, (batch, settle) => deliver({ batch, ...settle })),
    consumeDead: (prefetch, deliver) =>
      lines.dead.consume(prefetch, (letter, settle) => deliver({ letter, ...settle })),
    get acked() {
      return acked;
    },
    get returned() {
      return returned;
    },
    get unsettled() {
      return lines.events.unsettled + lines.dead.unsettled;
    },
    untilAcked(count) {
      return new Promise((resolve) => {
        const look = (): void => {
          if (acked < count) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      });
    },
  };
}
