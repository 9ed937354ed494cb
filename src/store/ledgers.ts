/**
 * What each source says it has sent, in SQL: the batches that came since the books were last made up, and the books themselves.
 * `recorder/ledger` does the arithmetic. Several recorders may make up the same books at once: the first one counts.
 */
import { addToTotals } from './retention.js';
import type { Sql, Statement } from './sql.js';

/** Batches that have not come although later ones have: `first` to `last`, noticed at `sinceMs` by the clock of the recorder. */
export interface Gap {
  readonly first: number;
  readonly last: number;
  readonly sinceMs: number;
}

/** Every batch up to `through` is in the two sums, except those in `gaps`; later ones are not. */
export interface Ledger {
  readonly through: number;
  readonly accepted: number;
  readonly acceptedAgain: number;
  readonly gaps: readonly Gap[];
}

export interface BatchCount {
  readonly seq: number;
  readonly accepted: number;
  readonly acceptedAgain: number;
}

/** The books of a source and batches that came meanwhile, in order of seq; some of them may have been counted before. */
export interface OpenLedger {
  readonly source: string;
  readonly ledger: Ledger;
  readonly batches: readonly BatchCount[];
  /** Changes whenever somebody makes up these books. */
  readonly version: string;
}

export interface Ledgers {
  /** At most `limit` batches, over all sources. */
  open(limit: number): Promise<readonly OpenLedger[]>;
  /**
   * Writes the books made up and removes the batches that they were made of, unless somebody was faster: then nothing.
   * @param version  never used before
   */
  close(open: OpenLedger, made: Ledger, version: string): Promise<void>;
  /**
   * Forgets sources: those that said goodbye and lack nothing once they were last heard before `endedBeforeMs`, all others before
   * `silentBeforeMs`. What they had accepted stays in the totals.
   */
  forget(endedBeforeMs: number, silentBeforeMs: number, version: string): Promise<void>;
}

interface OpenRow {
  readonly source: string;
  readonly counted_through: number;
  readonly accepted: number;
  readonly accepted_again: number;
  readonly gaps: string;
  readonly books_version: string;
  readonly seq: number;
  readonly new: number;
  readonly new_again: number;
}

/** As it lies in `sluice_sources.gaps`. */
export function encodeGaps(gaps: readonly Gap[]): string {
  return JSON.stringify(gaps.map(({ first, last, sinceMs }) => [first, last, sinceMs]));
}

export function decodeGaps(text: string): readonly Gap[] {
  const gaps = JSON.parse(text) as readonly (readonly [number, number, number])[];
  return gaps.map(([first, last, sinceMs]) => ({ first, last, sinceMs }));
}

export function createLedgers({ build, read, write }: Sql): Ledgers {
  return {
    async open(limit) {
      const rows = await read<OpenRow>(
        build
          .selectFrom('sluice_source_batches as batch')
          .innerJoin('sluice_sources as source', 'source.source', 'batch.source')
          .select(['source.source', 'source.counted_through', 'source.accepted', 'source.accepted_again'])
          .select(['source.gaps', 'source.books_version'])
          .select(['batch.seq', 'batch.accepted as new', 'batch.accepted_again as new_again'])
          .orderBy('batch.source')
          .orderBy('batch.seq')
          .limit(limit)
          .compile(),
      );
      const found = new Map<string, OpenLedger & { readonly batches: BatchCount[] }>();
      for (const row of rows) {
        let open = found.get(row.source);
        if (open === undefined) {
          const ledger = {
            through: row.counted_through,
            accepted: row.accepted,
            acceptedAgain: row.accepted_again,
            gaps: decodeGaps(row.gaps),
          };
          open = { source: row.source, version: row.books_version, ledger, batches: [] };
          found.set(row.source, open);
        }
        open.batches.push({ seq: row.seq, accepted: row.new, acceptedAgain: row.new_again });
      }
      return [...found.values()];
    },

    async close({ source, batches, version: before }, made, version) {
      // The version is changed first: of two recorders the second one waits here, finds another version, and does nothing below.
      const books = build
        .updateTable('sluice_sources')
        .set({
          counted_through: made.through,
          accepted: made.accepted,
          accepted_again: made.acceptedAgain,
          gaps: encodeGaps(made.gaps),
          books_version: version,
        })
        .where('source', '=', source)
        .where('books_version', '=', before)
        .compile();
      const removals = stretches(batches).map(({ first, last }) =>
        build
          .deleteFrom('sluice_source_batches')
          .where('source', '=', source)
          .where('seq', '>=', first)
          .where('seq', '<=', last)
          .where(({ exists, selectFrom }) =>
            exists(
              selectFrom('sluice_sources as made')
                .select('made.source')
                .where('made.source', '=', source)
                .where('made.books_version', '=', version),
            ),
          )
          .compile(),
      );
      await write([books, ...removals]);
    },

    async forget(endedBeforeMs, silentBeforeMs, version) {
      // Marked first: the locks of the rows keep a second recorder from adding them up as well.
      const mark = build
        .updateTable('sluice_sources')
        .set({ books_version: version })
        .where(({ or, and, eb, not, exists, selectFrom }) =>
          and([
            or([
              eb('last_at_ms', '<', silentBeforeMs),
              and([
                eb('last_at_ms', '<', endedBeforeMs),
                eb('has_ended', '=', 1),
                eb('gaps', '=', '[]'),
                eb('counted_through', '=', eb.ref('last_seq')),
              ]),
            ]),
            not(
              exists(
                selectFrom('sluice_source_batches as batch')
                  .select('batch.source')
                  .whereRef('batch.source', '=', 'sluice_sources.source'),
              ),
            ),
          ]),
        )
        .compile();
      const sums: Statement[] = (['accepted', 'accepted_again'] as const).map((sum) =>
        build
          .insertInto('sluice_totals')
          .columns(['state', 'count', 'accepted'])
          .expression(
            build
              .selectFrom('sluice_sources')
              .select(({ eb, fn, val }) => [
                eb.cast<string>(val(sum), 'text').as('state'),
                eb.cast<number>(fn.sum(sum), 'bigint').as('count'),
                eb.lit(0).as('accepted'),
              ])
              .where('books_version', '=', version)
              .having(({ fn }) => fn.countAll(), '>', 0),
          )
          .onConflict((conflict) => addToTotals(conflict))
          .compile(),
      );
      const removal = build.deleteFrom('sluice_sources').where('books_version', '=', version).compile();
      await write([mark, ...sums, removal]);
    },
  };
}

/** Runs of consecutive numbers: between the ends of each, nothing can have come that was not counted. */
function stretches(batches: readonly BatchCount[]): { readonly first: number; readonly last: number }[] {
  const found: { first: number; last: number }[] = [];
  for (const { seq } of batches) {
    const current = found.at(-1);
    if (current !== undefined && current.last + 1 === seq) current.last = seq;
    else found.push({ first: seq, last: seq });
  }
  return found;
}
