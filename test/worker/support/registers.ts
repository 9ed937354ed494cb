/** The registers that workers obey, in memory: a test changes them, announces it, or lets them fail. */
import type { CancelOrder, Orders, QueueOrder } from '../../../src/job/orders.js';

export interface Registers {
  cancels: CancelOrder[];
  queues: QueueOrder[];
  /** Every read and every attempt to listen fails with it until it is undefined. */
  failure: Error | undefined;
  /** Awaited by every read, after it was counted. */
  reading: Promise<void>;
  readonly reads: number;
  readonly readsAtOnce: number;
  readonly listeners: number;
  /** What was called, in order. */
  readonly calls: readonly ('listen' | 'read')[];
  read(): Promise<Orders>;
  listen(listener: () => void): Promise<() => void>;
  announce(): void;
}

export function createRegisters(): Registers {
  const listeners = new Set<() => void>();
  const calls: ('listen' | 'read')[] = [];
  let atOnce = 0;
  let mostAtOnce = 0;
  return {
    cancels: [],
    queues: [],
    failure: undefined,
    reading: Promise.resolve(),
    calls,
    get reads() {
      return calls.filter((call) => call === 'read').length;
    },
    get readsAtOnce() {
      return mostAtOnce;
    },
    get listeners() {
      return listeners.size;
    },
    async read() {
      calls.push('read');
      atOnce += 1;
      mostAtOnce = Math.max(mostAtOnce, atOnce);
      const snapshot = { cancels: [...this.cancels], queues: [...this.queues] };
      await this.reading;
      atOnce -= 1;
      if (this.failure !== undefined) throw this.failure;
      return snapshot;
    },
    async listen(listener) {
      calls.push('listen');
      if (this.failure !== undefined) throw this.failure;
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    announce() {
      for (const listener of listeners) listener();
    },
  };
}
