/** Backpressure for batches: how many of their jobs, and bytes of them, wait for a confirm at a time, over all batches together. */

export interface Window {
  /** Takes a place, at once or when one is free. A job larger than the whole window passes when the window is empty. */
  enter(bytes: number): Promise<void> | undefined;
  leave(bytes: number): void;
}

interface Waiter {
  readonly bytes: number;
  readonly enter: () => void;
}

export function createWindow(maxCount: number, maxBytes: number): Window {
  let count = 0;
  let held = 0;
  const waiters: Waiter[] = [];

  const hasRoom = (bytes: number): boolean => count === 0 || (count < maxCount && held + bytes <= maxBytes);
  const take = (bytes: number): void => {
    count++;
    held += bytes;
  };

  return {
    enter(bytes) {
      if (waiters.length === 0 && hasRoom(bytes)) {
        take(bytes);
        return undefined;
      }
      return new Promise((resolve) => waiters.push({ bytes, enter: resolve }));
    },
    leave(bytes) {
      count--;
      held -= bytes;
      for (let next = waiters[0]; next !== undefined && hasRoom(next.bytes); next = waiters[0]) {
        waiters.shift();
        take(next.bytes);
        next.enter();
      }
    },
  };
}
