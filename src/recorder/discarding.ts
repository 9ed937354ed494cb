/** Discards dead jobs page by page: says `discarded` of each. A replay that began meanwhile wins, for it is a later run. */
import type { EventSender } from '../events/sender.js';
import { aboutJob } from '../job/event.js';
import type { JobRow } from '../job/fold.js';
import type { Redrive } from '../store/redrives.js';
import type { Steps } from './steps.js';

const PAGE = 200;
/** Jobs read at a time. */
const READS = 16;

/** Resolves when there are no more, or it does not go on. */
export async function discardAll(
  redrive: Redrive,
  steps: Steps,
  sender: Pick<EventSender, 'record'>,
): Promise<void> {
  const { jobs, clock, hold, patiently, end } = steps;
  const { filter } = redrive;

  async function stillDead(ids: readonly string[]): Promise<JobRow[]> {
    const rows: JobRow[] = [];
    for (let from = 0; from < ids.length; from += READS) {
      const some = ids.slice(from, from + READS);
      const found = await patiently(() => Promise.all(some.map((id) => jobs.get(id))));
      for (const one of found) {
        const { state, finishedAtMs } = one?.row ?? {};
        const isMeant = (finishedAtMs ?? 0) < (filter.diedBeforeMs ?? Number.POSITIVE_INFINITY);
        if (one !== undefined && state === 'dead' && isMeant) rows.push(one.row);
      }
    }
    return rows;
  }

  while (await patiently(() => hold.renew())) {
    const { cursor } = hold;
    const { ids, next } = await patiently(() =>
      jobs.deadIds(filter, { limit: PAGE, ...(cursor === null ? {} : { cursor }) }),
    );
    const rows = await stillDead(ids);
    const atMs = clock.now();
    await patiently(() =>
      Promise.all(rows.map((row) => sender.record({ ...aboutJob(row, atMs), kind: 'discarded' }))),
    );
    for (const _ of rows) hold.done();
    hold.skipped(ids.length - rows.length);
    const goesOn = await patiently(() => hold.book(next));
    if (!goesOn) return;
    if (next === undefined) return end('done', null);
  }
}
