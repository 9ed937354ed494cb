/** Deadlines of equal length for many short waits: one timer for all, because a timer each is felt on the hot route. */
import type { Clock } from '../runtime/clock.js';
import { createLinkedList, type Link } from '../runtime/linked-list.js';

export interface Deadlines {
  /** Calls `late` once, `ms` from now or a little later, unless it is called off with what is returned. */
  set(late: () => void): Deadline;
  clear(deadline: Deadline): void;
  /** Lets go of the timer, which would keep the process alive; nothing is late from then on. */
  close(): void;
}

export type Deadline = Link<Wait>;

interface Wait {
  readonly atMs: number;
  readonly late: () => void;
}

export function createDeadlines(ms: number, clock: Clock): Deadlines {
  /** In the order they were set, which is the order they fall due. */
  const pending = createLinkedList<Wait>();
  let disarm: (() => void) | undefined;

  function arm(waitMs: number): void {
    disarm = clock.after(waitMs, look);
  }

  function look(): void {
    disarm = undefined;
    const nowMs = clock.now();
    for (let next = pending.first; next !== undefined; next = pending.first) {
      // Wall clocks step back; then a deadline would be further away than it can be.
      const leftMs = Math.min(next.value.atMs - nowMs, ms);
      if (leftMs > 0) {
        arm(leftMs);
        return;
      }
      pending.remove(next);
      next.value.late();
    }
  }

  return {
    set(late) {
      const deadline = pending.add({ atMs: clock.now() + ms, late });
      if (disarm === undefined) arm(ms);
      return deadline;
    },
    clear(deadline) {
      pending.remove(deadline);
    },
    close() {
      for (let next = pending.first; next !== undefined; next = pending.first) pending.remove(next);
      disarm?.();
    },
  };
}
