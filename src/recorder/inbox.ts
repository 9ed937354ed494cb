/** What the recorder has in hand: deliveries in the order of their arrival, decoded unless the store does that. */
import type { BatchDelivery, LetterDelivery } from '../broker/event-channel.js';
import { Undecodable } from '../job/errors.js';
import { decodeBatch, sentAtOf } from '../job/event-codec.js';
import type { Part } from '../store/recording.js';
import { readLetter } from './letter.js';

/** A delivery and what it says; what cannot be recorded goes to quarantine with its bytes. */
export interface Item {
  readonly delivery: { ack(): Promise<void>; return(): Promise<void> };
  readonly origin: 'events' | 'dead';
  readonly raw: Buffer;
  /** When its source sent it, by the clock of the source; undefined where it does not say. */
  readonly sentAtMs: number | undefined;
  readonly part: Part | undefined;
  /** What of it is to be kept for a person. */
  readonly fault: Fault | undefined;
  /** A batch that was not decoded. */
  readonly isUnread?: true;
}

interface Fault {
  readonly reason: string;
  readonly raw: Buffer;
}

/** A batch that the store is to read. */
export function unreadItem(delivery: BatchDelivery): Item {
  const { batch: raw } = delivery;
  const sentAtMs = sentAtOf(raw);
  return { delivery, origin: 'events', raw, sentAtMs, part: undefined, fault: undefined, isUnread: true };
}

export function itemOfBatch(delivery: BatchDelivery): Item {
  return readBatch(delivery, delivery.batch);
}

/** The same item, decoded. */
export function readItem(item: Item): Item {
  return item.isUnread ? readBatch(item.delivery, item.raw) : item;
}

function readBatch(delivery: Item['delivery'], raw: Buffer): Item {
  const origin = 'events';
  let fault: Fault | undefined;
  try {
    const { events, ...receipt } = decodeBatch(raw, (unread) => {
      const more = unread.count > 1 ? `, and ${unread.count - 1} more events` : '';
      fault = { reason: `${unread.reason}${more}`, raw: unread.raw };
    });
    return { delivery, origin, raw, sentAtMs: receipt.atMs, part: { receipt, events }, fault };
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error;
    fault = { reason: error.message, raw };
    return { delivery, origin, raw, sentAtMs: undefined, part: undefined, fault };
  }
}

export function itemOfLetter(delivery: LetterDelivery): Item {
  const { letter } = delivery;
  const read = readLetter(letter);
  const common = { delivery, origin: 'dead', raw: letter.body, sentAtMs: letter.death.atMs } as const;
  switch (read.kind) {
    case 'death':
      return { ...common, part: { receipt: undefined, events: [read.event] }, fault: undefined };
    case 'death without payload':
      return {
        ...common,
        part: { receipt: undefined, events: [read.event], isWithoutPayload: true },
        fault: { reason: read.reason, raw: letter.body },
      };
    case 'no job':
      return { ...common, part: undefined, fault: { reason: read.reason, raw: letter.body } };
    default:
      return read satisfies never;
  }
}

export interface Bounds {
  /** Of one write; a single delivery may be larger. */
  readonly events: number;
  readonly bytes: number;
}

/** Removes and returns the oldest of `items`, as many as fit into one write; at least one if there is any. */
export function takeFitting(items: Item[], { events: mostEvents, bytes: mostBytes }: Bounds): Item[] {
  let count = 0;
  let events = 0;
  let bytes = 0;
  for (const { part, raw } of items) {
    events += part?.events.length ?? 0;
    bytes += raw.length;
    if (count > 0 && (events > mostEvents || bytes > mostBytes)) break;
    count++;
  }
  return items.splice(0, count);
}
