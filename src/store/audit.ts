/** What the audit reads, in SQL. What must fit together is read by one statement, which sees one moment. */
import { hasEnded, type State, states } from '../job/state.js';
import { select } from './builders.js';
import { idsIn } from './jobs.js';
import { type RawBuilder, sql as raw } from './kysely.js';
import { type BatchCount, decodeGaps, type Ledger } from './ledgers.js';
import { remade } from './remade.js';
import type { Sql } from './sql.js';

/** The store at one moment. */
export interface Books {
  readonly rows: readonly { readonly state: State; readonly isAccepted: boolean; readonly count: number }[];
  /** Rows that retention has deleted. */
  readonly deleted: readonly { readonly state: State; readonly count: number; readonly accepted: number }[];
  /** Sums of sources that are forgotten. */
  readonly forgotten: { readonly accepted: number; readonly acceptedAgain: number };
  readonly sources: readonly SourceBooks[];
  readonly quarantined: number;
  /** Of `rows`, those that late news has made anew, and how many of such that are deleted again had an acceptance. */
  readonly remade: {
    readonly rows: Books['rows'];
    readonly acceptedDeleted: number;
  };
}

export interface SourceBooks {
  readonly source: string;
  readonly role: string;
  readonly host: string;
  /** By the clock of the recorder. */
  readonly lastAtMs: number;
  readonly lastSeq: number;
  readonly held: number;
  readonly hasEnded: boolean;
  readonly ledger: Ledger;
  /** Not in the ledger yet, or for a second time; in order of seq. */
  readonly batches: readonly BatchCount[];
}

/** A row whose columns contradict each other: nothing in Sluice writes such a row. */
export interface EditedRow {
  readonly id: string;
  readonly state: string;
  /** What its position says. */
  readonly expected: string;
}

export interface AuditReader {
  books(): Promise<Books>;
  edited(limit: number): Promise<{ readonly count: number; readonly rows: readonly EditedRow[] }>;
  /** Rows that have not ended. */
  openByQueue(): Promise<readonly { readonly queue: string; readonly count: number }[]>;
  /** Of these, the oldest ones that are neither edited nor made anew by late news. */
  open(limit: number): Promise<readonly OpenRow[]>;
  /** Of these ids, such rows. */
  openAmong(ids: readonly string[]): Promise<readonly OpenRow[]>;
}

/** A row that has not ended. Whatever is recorded of its job changes position or tie. */
export interface OpenRow {
  readonly id: string;
  readonly position: number;
  readonly tie: number;
  readonly state: string;
  readonly dueAtMs: number;
}

interface Line {
  readonly part: 'rows' | 'totals' | 'source' | 'batch' | 'quarantine' | 'remade';
  readonly a: string;
  readonly b: string;
  readonly c: string;
  readonly d: string;
  readonly n1: number;
  readonly n2: number;
  readonly n3: number;
  readonly n4: number;
  readonly n5: number;
  readonly n6: number;
  readonly n7: number;
}

const openStates = states.filter((state) => !hasEnded(state));
const RUN = 2 ** 36;
const FINALITY = 2 ** 33;

/** The state that a position stands for, but for queued and scheduled, which share one. */
const expected: RawBuilder<string> = raw`
  CASE position % ${raw.lit(RUN)} / ${raw.lit(FINALITY)}
    WHEN 4 THEN 'succeeded' WHEN 3 THEN 'cancelled' WHEN 2 THEN 'discarded' WHEN 1 THEN 'dead'
    ELSE CASE position % 8 WHEN 0 THEN 'queued' WHEN 1 THEN 'active' WHEN 2 THEN 'retrying' ELSE 'none' END
  END`;
/** Greater runs and attempts than a position can hold are not compared: sources cap them there. */
const isEdited: RawBuilder<boolean> = raw`(
  ${expected} <> CASE state WHEN 'scheduled' THEN 'queued' ELSE state END
  OR run <> position / ${raw.lit(RUN)}
  OR attempt <> position % ${raw.lit(FINALITY)} / 8
  OR (finished_at_ms IS NULL) <> (position % ${raw.lit(RUN)} < ${raw.lit(FINALITY)})
)`;

export function createAuditReader(sql: Sql): AuditReader {
  const { build, read } = sql;

  function openRows() {
    return build
      .selectFrom('sluice_jobs')
      .select(['id', 'position', 'tie', 'state', 'due_at_ms as dueAtMs'])
      .where('state', 'in', openStates)
      .where(raw<boolean>`NOT ${isEdited}`)
      .where('id', 'not in', (of) => of.selectFrom('sluice_remade').select('sluice_remade.id'));
  }

  return {
    async books() {
      // Columns in the order of `Line`. Both databases take a number for a bigint and a name from the first SELECT.
      const lines = await read<Line>(
        raw`
          SELECT 'rows' AS part, state AS a, '' AS b, '' AS c, '' AS d, is_accepted AS n1, count(*) AS n2,
                 0 AS n3, 0 AS n4, 0 AS n5, 0 AS n6, 0 AS n7
            FROM sluice_jobs GROUP BY state, is_accepted
          UNION ALL
          SELECT 'totals', state, '', '', '', count, accepted, 0, 0, 0, 0, 0 FROM sluice_totals
          UNION ALL
          SELECT 'source', source, role, host, gaps, last_at_ms, last_seq, held, has_ended,
                 counted_through, accepted, accepted_again
            FROM sluice_sources
          UNION ALL
          SELECT 'batch', source, '', '', '', seq, accepted, accepted_again, 0, 0, 0, 0 FROM sluice_source_batches
          UNION ALL
          SELECT 'quarantine', '', '', '', '', count(*), 0, 0, 0, 0, 0, 0 FROM sluice_quarantine
          UNION ALL
          SELECT 'remade', job.state, '', '', '', job.is_accepted, count(*), 0, 0, 0, 0, 0
            FROM sluice_remade AS mark INNER JOIN sluice_jobs AS job ON job.id = mark.id GROUP BY job.state, job.is_accepted
        `.compile(build) as never,
      );
      return booksOf(lines);
    },

    async edited(limit) {
      const [counted] = await read<{ readonly count: number }>(
        raw`SELECT count(*) AS count FROM sluice_jobs WHERE ${isEdited}`.compile(build) as never,
      );
      const count = counted?.count ?? 0;
      if (count === 0) return { count, rows: [] };
      const rows = await read<EditedRow>(
        raw`SELECT id, state, ${expected} AS expected FROM sluice_jobs WHERE ${isEdited} ORDER BY id LIMIT ${limit}`.compile(
          build,
        ) as never,
      );
      return { count, rows };
    },

    openByQueue() {
      return read<{ readonly queue: string; readonly count: number }>(
        build
          .selectFrom('sluice_jobs')
          .select(({ fn }) => ['queue', fn.countAll<number>().as('count')])
          .where('state', 'in', openStates)
          .groupBy('queue')
          .orderBy('queue')
          .compile(),
      );
    },

    open: (limit) => select(sql, openRows().orderBy('id').limit(limit)),

    openAmong: (ids) => select(sql, openRows().where('id', 'in', idsIn(sql, ids)).orderBy('id')),
  };
}

function booksOf(lines: readonly Line[]): Books {
  const of = (part: Line['part']): readonly Line[] => lines.filter((line) => line.part === part);
  const batches = new Map<string, BatchCount[]>();
  for (const { a: source, n1: seq, n2: accepted, n3: acceptedAgain } of of('batch')) {
    const known = batches.get(source);
    if (known === undefined) batches.set(source, [{ seq, accepted, acceptedAgain }]);
    else known.push({ seq, accepted, acceptedAgain });
  }
  const totals = of('totals');
  const rowsOf = (part: 'rows' | 'remade'): Books['rows'] =>
    of(part).map(({ a, n1, n2 }) => ({ state: a as State, isAccepted: n1 === 1, count: n2 }));
  const sumOf = (name: string): number => totals.find(({ a }) => a === name)?.n1 ?? 0;
  return {
    rows: rowsOf('rows'),
    deleted: totals
      .filter(({ a }) => (states as readonly string[]).includes(a))
      .map(({ a, n1, n2 }) => ({ state: a as State, count: n1, accepted: n2 })),
    forgotten: { accepted: sumOf('accepted'), acceptedAgain: sumOf('accepted_again') },
    sources: of('source').map((line) => ({
      source: line.a,
      role: line.b,
      host: line.c,
      lastAtMs: line.n1,
      lastSeq: line.n2,
      held: line.n3,
      hasEnded: line.n4 === 1,
      ledger: {
        through: line.n5,
        accepted: line.n6,
        acceptedAgain: line.n7,
        gaps: decodeGaps(line.d),
      },
      batches: (batches.get(line.a) ?? []).sort((a, b) => a.seq - b.seq),
    })),
    quarantined: of('quarantine')[0]?.n1 ?? 0,
    remade: {
      rows: rowsOf('remade'),
      acceptedDeleted: totals.find(({ a }) => a === remade)?.n2 ?? 0,
    },
  };
}
