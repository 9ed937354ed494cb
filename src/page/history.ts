/** What the page has seen since it was opened: the server tells how things stand, charts need how they stood. */
import type { QueueView } from '../api/queues.js';

export interface Sample {
  readonly atMs: number;
  readonly waiting: number;
  readonly active: number;
  readonly acceptedPerSecond: number;
  readonly drainedPerSecond: number;
}

/** An hour, where a sample is taken every 2 s. */
const MOST = 1_800;
/** Between two samples that are further apart than this, nobody looked. */
const GAP_MS = 15_000;

const samples: { readonly atMs: number; readonly queues: readonly QueueView[] }[] = [];

export function remember(queues: readonly QueueView[], atMs: number): void {
  samples.push({ atMs, queues });
  if (samples.length > MOST) samples.shift();
}

/** @param queue  its name; empty: all together  @returns oldest first, with undefined where nobody looked */
export function historyOf(queue: string): (Sample | undefined)[] {
  return samples.flatMap(({ atMs, queues }, i) => {
    const before = samples[i - 1];
    const sample = sumOf(
      queues.filter(({ name }) => queue === '' || name === queue),
      atMs,
    );
    return before !== undefined && atMs - before.atMs > GAP_MS ? [undefined, sample] : [sample];
  });
}

function sumOf(queues: readonly QueueView[], atMs: number): Sample {
  const sum = (pick: (queue: QueueView) => number): number =>
    queues.reduce((total, queue) => total + pick(queue), 0);
  return {
    atMs,
    waiting: sum(({ depth }) => depth.total),
    active: sum(({ active }) => active),
    acceptedPerSecond: sum((queue) => queue.acceptedPerSecond),
    drainedPerSecond: sum((queue) => queue.drainedPerSecond),
  };
}
