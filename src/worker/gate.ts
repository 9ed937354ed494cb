/** Holds back the start of jobs while a suspected one runs alone. */
export interface Gate {
  readonly isClosed: boolean;
  close(): void;
  open(): void;
  /** Resolves when the gate is opened next, or at once when it is open. */
  opened(): Promise<void>;
}

export function createGate(): Gate {
  let isClosed = false;
  let waiting: (() => void)[] = [];
  return {
    get isClosed() {
      return isClosed;
    },
    close() {
      isClosed = true;
    },
    open() {
      isClosed = false;
      const released = waiting;
      waiting = [];
      for (const resume of released) resume();
    },
    opened() {
      if (!isClosed) return Promise.resolve();
      return new Promise((resolve) => waiting.push(resolve));
    },
  };
}
