/** Brings items into the store: all at once, or, where the database does not take them, in ever smaller parts until the bad one stands alone. */
import { StoreUnavailable } from '../job/errors.js';
import { encodeBatch } from '../job/event-codec.js';
import { type Part, recordingOf } from '../store/recording.js';
import type { Records } from '../store/store.js';
import { type Item, readItem } from './inbox.js';

export interface Applied {
  readonly events: number;
  readonly quarantined: number;
}

/** Resolves once all is in the store or in quarantine. Doing it again does no harm. @throws StoreUnavailable */
export async function apply(items: readonly Item[], records: Records, nowMs: number): Promise<Applied> {
  const unread = items.filter(({ isUnread }) => isUnread === true);
  const known = unread.length === 0 ? 0 : await applyUnread(unread, records);
  const read = known === undefined ? items.map(readItem) : items.filter(({ isUnread }) => isUnread !== true);
  const sound = read.filter((item): item is Sound => item.part !== undefined);
  let quarantined = await applySound(sound, records, nowMs);
  for (const { fault, origin } of read) {
    if (fault === undefined) continue;
    await records.quarantine({ origin, reason: withoutNul(fault.reason), raw: fault.raw, atMs: nowMs });
    quarantined++;
  }
  return { events: sound.reduce((sum, { part }) => sum + part.events.length, known ?? 0), quarantined };
}

/** @returns how many events there were; undefined: some of it cannot be recorded, so they are to be read here, one by one */
async function applyUnread(items: readonly Item[], records: Records): Promise<number | undefined> {
  try {
    return await records.recordBatches?.(items.map(({ raw }) => raw));
  } catch (error) {
    if (error instanceof StoreUnavailable) throw error;
    return undefined;
  }
}

type Sound = Item & { readonly part: Part };

/** @returns how many parts are in quarantine */
async function applySound(items: readonly Sound[], records: Records, nowMs: number): Promise<number> {
  if (items.length === 0) return 0;
  try {
    await records.record(recordingOf(items.map(({ part }) => part)));
    return 0;
  } catch (error) {
    if (error instanceof StoreUnavailable) throw error;
    const [item] = items;
    if (items.length === 1 && item !== undefined) return applyApart(item, records, nowMs, error);
    const half = items.length >> 1;
    return (
      (await applySound(items.slice(0, half), records, nowMs)) +
      (await applySound(items.slice(half), records, nowMs))
    );
  }
}

/** One delivery that was refused: its events in halves, then its receipt, so that no acceptance is on record before its row. */
async function applyApart(item: Sound, records: Records, nowMs: number, refusal: unknown): Promise<number> {
  const { part, origin, raw } = item;
  const { receipt, events } = part;
  if (receipt === undefined) {
    await records.quarantine({ origin, reason: reasonOf(refusal), raw, atMs: nowMs });
    return 1;
  }
  const bytesOf = (some: Part['events']): Buffer => encodeBatch({ ...receipt, events: some });

  async function attempt(some: Part['events']): Promise<number> {
    if (some.length === 0) return 0;
    try {
      await records.record(recordingOf([{ receipt: undefined, events: some }]));
      return 0;
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error;
      if (some.length === 1) {
        await records.quarantine({ origin, reason: reasonOf(error), raw: bytesOf(some), atMs: nowMs });
        return 1;
      }
      const half = some.length >> 1;
      return (await attempt(some.slice(0, half))) + (await attempt(some.slice(half)));
    }
  }

  const quarantined = await attempt(events);
  try {
    const { rows: _rows, attempts: _attempts, payloads: _payloads, ...whole } = recordingOf([part]);
    await records.record({ receipts: whole.receipts, rows: [], attempts: [], payloads: [], flow: [] });
    return quarantined;
  } catch (error) {
    if (error instanceof StoreUnavailable) throw error;
    await records.quarantine({ origin, reason: reasonOf(error), raw: bytesOf([]), atMs: nowMs });
    return quarantined + 1;
  }
}

function reasonOf(error: unknown): string {
  return withoutNul(error instanceof Error ? error.message : String(error));
}

/** The one character that PostgreSQL keeps in no text. */
function withoutNul(text: string): string {
  return text.replaceAll('\0', '\\0');
}
