/** What decoded batches and dead letters say, as one transaction for the store. Pure. */
import type { EventBatch, JobEvent } from '../job/event.js';
import { fold } from '../job/fold.js';
import type { Recording } from './store.js';

/** A whole batch, or events alone: of dead letters, or of a batch that is taken apart. */
export interface Part {
  readonly receipt: Omit<EventBatch, 'events'> | undefined;
  readonly events: readonly JobEvent[];
  /** What the events carry as payload is none. */
  readonly isWithoutPayload?: true;
}

type Receipt = Recording['receipts'][number];
type Flow = Recording['flow'][number];

const BUCKET_MS = 10_000;

/** In one order, whatever the parts: several recorders that write the same rows do not wait for each other in a circle. */
export function recordingOf(parts: readonly Part[]): Recording {
  const receipts = parts.flatMap(({ receipt, events }) =>
    receipt === undefined ? [] : [{ ...receipt, ...acceptancesOf(events) }],
  );
  const events = parts.length === 1 ? (parts[0]?.events ?? []) : parts.flatMap((part) => part.events);
  const folded = fold(events);
  const without = parts.flatMap((part) => (part.isWithoutPayload ? part.events.map(({ id }) => id) : []));
  return {
    ...folded,
    payloads:
      without.length === 0 ? folded.payloads : folded.payloads.filter(({ id }) => !without.includes(id)),
    receipts: receipts.sort((a, b) => compare(a.source, b.source) || a.seq - b.seq),
    flow: flowOf(events),
  };
}

export function acceptancesOf(events: readonly JobEvent[]): Pick<Receipt, 'accepted' | 'acceptedAgain'> {
  let accepted = 0;
  let acceptedAgain = 0;
  for (const event of events) {
    if (event.kind !== 'accepted') continue;
    if (event.isAgain) acceptedAgain++;
    else accepted++;
  }
  return { accepted, acceptedAgain };
}

const flowOfKind = {
  accepted: 'accepted',
  succeeded: 'succeeded',
  retried: 'retried',
  deadLettered: 'dead',
  cancelled: 'cancelled',
} as const;

function flowOf(events: readonly JobEvent[]): Flow[] {
  const counts = new Map<string, { -readonly [Key in keyof Flow]: Flow[Key] }>();
  let bucket: { -readonly [Key in keyof Flow]: Flow[Key] } | undefined;
  for (const { kind, queue, atMs } of events) {
    if (!(kind in flowOfKind)) continue;
    const bucketMs = atMs - (atMs % BUCKET_MS);
    // Neighbours are mostly of one bucket.
    if (bucket?.bucketMs !== bucketMs || bucket.queue !== queue) {
      const key = `${queue} ${bucketMs}`;
      bucket = counts.get(key) ?? {
        queue,
        bucketMs,
        accepted: 0,
        succeeded: 0,
        retried: 0,
        dead: 0,
        cancelled: 0,
      };
      counts.set(key, bucket);
    }
    bucket[flowOfKind[kind as keyof typeof flowOfKind]]++;
  }
  return [...counts.values()].sort((a, b) => compare(a.queue, b.queue) || a.bucketMs - b.bucketMs);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
