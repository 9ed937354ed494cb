/** A channel that shows what is sent through it, and confirms when the test says so. */
import type { EventChannel } from '../../../src/broker/event-channel.js';
import type { EventBatch } from '../../../src/job/event.js';
import { decodeBatch } from '../../../src/job/event-codec.js';
import { createDeferred } from '../../support/deferred.js';

export interface Sent {
  readonly batch: EventBatch;
  readonly isWithdrawn: boolean;
  confirm(): void;
  refuse(error: Error): void;
}

export interface FakeChannel extends Pick<EventChannel, 'publish' | 'onBlocked'> {
  readonly sent: readonly Sent[];
  readonly listeners: number;
  readonly isBlocked: boolean;
  block(isBlocked: boolean): void;
  /** Confirms everything from now on, at once. */
  confirmAll(): void;
  /** The publish of this number, counted from 1, once there is one. */
  sentAs(number: number): Promise<Sent>;
}

export function createFakeChannel(): FakeChannel {
  const sent: Sent[] = [];
  const listeners = new Set<(isBlocked: boolean) => void>();
  const watchers = new Set<() => void>();
  let isBlocked = false;
  let confirmsAll = false;

  return {
    sent,
    get listeners() {
      return listeners.size;
    },
    get isBlocked() {
      return isBlocked;
    },
    publish(bytes) {
      const { promise: done, resolve, reject } = createDeferred();
      let isWithdrawn = false;
      sent.push({
        batch: decodeBatch(bytes),
        get isWithdrawn() {
          return isWithdrawn;
        },
        confirm: () => resolve(),
        refuse: reject,
      });
      if (confirmsAll) resolve();
      for (const look of [...watchers]) look();
      return {
        done,
        withdraw() {
          isWithdrawn = true;
        },
      };
    },
    onBlocked(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    block(nowBlocked) {
      isBlocked = nowBlocked;
      for (const listener of [...listeners]) listener(nowBlocked);
    },
    confirmAll() {
      confirmsAll = true;
      for (const { confirm } of sent) confirm();
    },
    sentAs(number) {
      return new Promise((resolve) => {
        const look = (): void => {
          const found = sent[number - 1];
          if (found === undefined) return;
          watchers.delete(look);
          resolve(found);
        };
        watchers.add(look);
        look();
      });
    },
  };
}
