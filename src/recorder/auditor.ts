/**
 * Makes audits: asks the broker and the store, and keeps what needs two looks to be proven. When a job has not ended and the broker
 * holds nothing, it is lost, unless it was just passing between the two. So the proof takes two looks at an empty broker and an
 * empty recorder queue, some seconds apart, with a sign of life of every living process in between: whatever had been under way
 * at the first look has been recorded by the second. Of the jobs that had not ended at the first look, those of which nothing was
 * heard since are lost. No clock and no id decides that: a job can come late under an old id, and clocks differ.
 */
import type { AuditReport } from '../api/audit.js';
import type { Inspection } from '../broker/broker.js';
import type { Clock } from '../runtime/clock.js';
import type { AuditReader, Books, OpenRow, SourceBooks } from '../store/audit.js';
import {
  auditOf,
  type BrokerCounts,
  GAP_AFTER_MS,
  gapsOf,
  livingOf,
  MOST_NAMED,
  mayHold,
  waitingIn,
} from './audit.js';

/** Of an inspection: what the audit counts. */
export type Inspected = Pick<Inspection, 'lanes' | 'suspects' | 'deadLetters'> & {
  readonly delayed: number;
  readonly events: number;
};

export interface AuditorOptions {
  readonly audit: AuditReader;
  readonly broker: { inspect(): Promise<Inspected> };
  readonly clock: Clock;
}

export interface Auditor {
  /**
   * One look at everything; several callers at a time share one. A broker that cannot be asked is a part of the report.
   * @throws StoreUnavailable
   */
  report(): Promise<AuditReport>;
}

/** A look at which nothing was in the broker, nor on its way from it. */
interface Rest {
  readonly atMs: number;
  /** The last batch of each living process. */
  readonly seqs: ReadonlyMap<string, number>;
  /** What had not ended. */
  readonly open: readonly OpenRow[];
}

const APART_MS = 3_000;
/**
 * A job that passes from one delay level to the next is counted nowhere by RabbitMQ, for 180 s when a crash has taken the confirm
 * away that the level waits for, and all others of the level with it. So a delayed job is not proven lost before this time after it was due.
 */
const LEAVING_DELAY_MS = 240_000;
/** At rest next to nothing is open; more than these are counted as so many. */
const MOST_SUSPECTED = 10_000;

export function createAuditor({ audit, broker, clock }: AuditorOptions): Auditor {
  let rest: Rest | undefined;
  let provenThroughMs: number | undefined;
  /** Stays true when the broker fills again, until something is heard of them. */
  let lost: readonly OpenRow[] = [];
  let underWay: Promise<AuditReport> | undefined;

  function prove(
    nowMs: number,
    living: readonly SourceBooks[],
    open: readonly OpenRow[],
  ): AuditReport['proof'] {
    const before = rest;
    if (before === undefined) {
      rest = { atMs: nowMs, seqs: seqsOf(living), open };
      return proofOf('waiting', 'ask again in a few seconds');
    }
    const unheard = living.filter(
      ({ source, lastSeq }) => lastSeq <= (before.seqs.get(source) ?? Number.NEGATIVE_INFINITY),
    );
    if (nowMs - before.atMs < APART_MS || unheard.length > 0) {
      const hosts = unheard.slice(0, 3).map(({ host }) => host);
      return proofOf(
        'waiting',
        unheard.length === 0
          ? 'ask again in a few seconds'
          : `waiting for a sign of life of ${hosts.join(', ')}, at most 15 s`,
      );
    }
    lost = unchanged(before.open, open);
    provenThroughMs = before.atMs;
    rest = { atMs: nowMs, seqs: seqsOf(living), open };
    return proofOf('proven', 'the broker and the recorder were at rest');
  }

  function proofOf(state: AuditReport['proof']['state'], detail: string): AuditReport['proof'] {
    const through = provenThroughMs === undefined ? null : new Date(provenThroughMs).toISOString();
    return { state, provenThrough: through, detail };
  }

  async function look(): Promise<AuditReport> {
    // The broker first: what leaves it meanwhile has ended or is counted by the store, not missed by both.
    const counts = await broker.inspect().then(countsOf, () => undefined);
    const nowMs = clock.now();
    const [books, edited, openByQueue] = await Promise.all([
      audit.books(),
      audit.edited(MOST_NAMED),
      audit.openByQueue(),
    ]);
    const unrest = unrestOf(books, counts, nowMs);
    const open = await audit.open(unrest === undefined ? MOST_SUSPECTED : MOST_NAMED);
    const suspected = open.filter((row) => !mayLeaveDelay(row, nowMs));
    let proof: AuditReport['proof'];
    if (unrest === undefined) proof = prove(nowMs, livingOf(books.sources), suspected);
    else {
      rest = undefined;
      proof = proofOf('none', `nothing can be proven while ${unrest}`);
    }
    if (lost.length > 0) lost = unchanged(lost, await audit.openAmong(lost.map(({ id }) => id)));
    return auditOf({
      nowMs,
      books,
      edited,
      openByQueue,
      broker: counts,
      proof,
      lost: lost.map(({ id }) => id),
      oldestOpen: open.slice(0, MOST_NAMED).map(({ id }) => id),
    });
  }

  return {
    report() {
      underWay ??= look().finally(() => {
        underWay = undefined;
      });
      return underWay;
    },
  };
}

function unrestOf(books: Books, counts: BrokerCounts | undefined, nowMs: number): string | undefined {
  if (counts === undefined) return 'the broker cannot be asked';
  if (waitingIn(counts) > 0) return 'jobs wait in the broker';
  if (counts.deadLetters > 0 || counts.events > 0) return 'events wait for a recorder';
  if (mayHold(books.sources)) return 'workers have jobs in hand';
  // Another recorder may have them in hand, where no count shows them, and the ends of jobs in them.
  if (gapsOf(books.sources, nowMs).some(({ sinceMs }) => nowMs - sinceMs < GAP_AFTER_MS))
    return 'batches of events that were overtaken may still come';
  return undefined;
}

function mayLeaveDelay({ state, dueAtMs }: OpenRow, nowMs: number): boolean {
  return (state === 'scheduled' || state === 'retrying') && nowMs - dueAtMs < LEAVING_DELAY_MS;
}

/** Those of which nothing was recorded in between. */
function unchanged(before: readonly OpenRow[], now: readonly OpenRow[]): readonly OpenRow[] {
  const known = new Map(now.map((row) => [row.id, row]));
  return before.filter(({ id, position, tie }) => {
    const row = known.get(id);
    return row !== undefined && row.position === position && row.tie === tie;
  });
}

function seqsOf(sources: readonly SourceBooks[]): ReadonlyMap<string, number> {
  return new Map(sources.map(({ source, lastSeq }) => [source, lastSeq]));
}

function countsOf({ lanes, suspects, delayed, deadLetters, events }: Inspected): BrokerCounts {
  const ready = new Map<string, number>();
  for (const lane of lanes) ready.set(lane.queue, (ready.get(lane.queue) ?? 0) + lane.ready);
  return {
    ready,
    delayed,
    suspects: suspects.reduce((sum, suspect) => sum + suspect.ready, 0),
    deadLetters,
    events,
  };
}
