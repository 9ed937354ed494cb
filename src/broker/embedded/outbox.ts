/** The publishes that wait for the disk: bounded in jobs and bytes, and answered within the publish timeout. */
import { OutcomeUnknown, Refused, Unavailable } from '../../job/errors.js';
import type { Clock } from '../../runtime/clock.js';
import { createLinkedList, type Link } from '../../runtime/linked-list.js';

export interface OutboxOptions {
  /** Half of the most that may wait, in jobs: one window on its way to the disk, one behind it. */
  readonly window: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Told the seconds from `send` to the disk. */
  readonly confirmed: (seconds: number) => void;
}

export interface Outbox {
  /**
   * @param store  writes the job; called at once unless it is refused
   * @throws Refused  code `overloaded`  @throws OutcomeUnknown  its place is free only when `store` is through: a disk that
   * stands still must not fill the memory  @throws what `store` rejects with
   */
  send(bytes: number, store: () => Promise<void>): Promise<void>;
  /** Resolves when nothing waits, or after `limitMs`. Sends nothing new afterwards. */
  close(limitMs: number): Promise<void>;
  size(): number;
}

interface Entry {
  readonly bytes: number;
  readonly deadlineMs: number;
  isGivenUp: boolean;
  resolve(): void;
  reject(error: Error): void;
}

/** A bound in bytes beside the one in jobs, for payloads of a megabyte. */
const WINDOW_BYTES = 64 * 1024 * 1024;
const SWEEP_MS = 500;

export function createOutbox({ window, timeoutMs, clock, confirmed }: OutboxOptions): Outbox {
  const entries = createLinkedList<Entry>();
  let bytes = 0;
  let sweep: (() => void) | undefined;
  let isClosed = false;
  let emptied = (): void => {};

  function leave(link: Link<Entry>): void {
    entries.remove(link);
    bytes -= link.value.bytes;
    if (entries.size === 0) emptied();
  }

  function sweepLate(): void {
    const now = clock.now();
    for (const entry of entries.values()) {
      if (entry.deadlineMs > now) break;
      giveUp(entry, `the disk has not confirmed the job within ${timeoutMs} ms; it may have been stored`);
    }
    sweep = entries.size > 0 ? clock.after(SWEEP_MS, sweepLate) : undefined;
  }

  function giveUp(entry: Entry, reason: string): void {
    if (entry.isGivenUp) return;
    entry.isGivenUp = true;
    const stored = new Promise<void>((resolve) => {
      entry.resolve = resolve;
    });
    entry.reject(new OutcomeUnknown(`outcome unknown: ${reason}`, { stored }));
  }

  return {
    send(size, store) {
      if (isClosed) return Promise.reject(new Unavailable('shutting down'));
      if (entries.size >= 2 * window || (bytes + size > WINDOW_BYTES && entries.size > 0))
        return Promise.reject(new Refused('overloaded', `${entries.size} jobs wait for the disk`, 1_000));
      return new Promise((resolve, reject) => {
        const deadlineMs = clock.now() + timeoutMs;
        const entry: Entry = { bytes: size, deadlineMs, isGivenUp: false, resolve, reject };
        const link = entries.add(entry);
        bytes += size;
        sweep ??= clock.after(SWEEP_MS, sweepLate);
        const sentAtMs = performance.now();
        store().then(
          () => {
            confirmed((performance.now() - sentAtMs) / 1_000);
            leave(link);
            entry.resolve(); // Of the promise, or after a timeout of the error's `stored`.
          },
          (error: Error) => {
            leave(link);
            reject(error);
          },
        );
      });
    },
    async close(limitMs) {
      isClosed = true;
      let cancel = (): void => {};
      if (entries.size > 0) {
        await new Promise<void>((resolve) => {
          emptied = resolve;
          cancel = clock.after(limitMs, resolve);
        });
      }
      cancel();
      sweep?.();
      for (const entry of entries.values()) giveUp(entry, 'shut down before the disk confirmed the job');
    },
    size: () => entries.size,
  };
}
