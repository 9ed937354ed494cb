/** Waiting for a run to come to its end. */
import { sleep, systemClock } from '../../src/runtime/clock.js';

const POLL_MS = 100;
/** Without any arrival for so long, what is missing counts as lost. Longer than the longest wait of a first retry. */
export const STALL_MS = 90_000;

/** Polls; rejects when `failing` does. */
export async function until(isSo: () => Promise<boolean>, failing: Promise<void>): Promise<void> {
  let failure: unknown;
  failing.catch((error: unknown) => {
    failure = error;
  });
  while (!(await isSo())) {
    if (failure !== undefined) throw failure;
    await sleep(systemClock, POLL_MS);
  }
}

/** Until all have arrived, or nothing has for STALL_MS. */
export async function untilStill(
  count: () => Promise<number>,
  wanted: number,
  isComplete: () => Promise<boolean>,
): Promise<void> {
  let last = -1;
  let movedAtMs = Date.now();
  for (;;) {
    const distinct = await count();
    if (distinct >= wanted && (await isComplete())) return;
    if (distinct !== last) movedAtMs = Date.now();
    last = distinct;
    if (Date.now() - movedAtMs > STALL_MS) return;
    await sleep(systemClock, POLL_MS);
  }
}
