/**
 * The audit as arithmetic: what the store and the broker say, compared. Pure: the same observation gives the same report.
 * Each rule is a function of its own and gives findings; `auditOf` puts them together.
 */
import type { AuditReport, Finding } from '../api/audit.js';
import { hasEnded, states } from '../job/state.js';
import type { Books, EditedRow, SourceBooks } from '../store/audit.js';
import { enter } from './ledger.js';

/** What the broker holds, as far as it can be counted from outside; `ready` by queue. */
export interface BrokerCounts {
  readonly ready: ReadonlyMap<string, number>;
  readonly delayed: number;
  readonly suspects: number;
  readonly deadLetters: number;
  /** Batches of events that wait for a recorder. */
  readonly events: number;
}

export interface Observation {
  readonly nowMs: number;
  readonly books: Books;
  readonly edited: { readonly count: number; readonly rows: readonly EditedRow[] };
  readonly openByQueue: readonly { readonly queue: string; readonly count: number }[];
  /** Undefined: it could not be asked. Counted before the store was read. */
  readonly broker: BrokerCounts | undefined;
  readonly proof: AuditReport['proof'];
  /** Rows that are proven to be of lost jobs. */
  readonly lost: readonly string[];
  /** The oldest rows that have not ended. */
  readonly oldestOpen: readonly string[];
}

/** A source sends a sign of life every 15 s; three are missing. */
export const SILENT_AFTER_MS = 45_000;
/** Batches of several recorders overtake each other: one may try for that long to write what it has in hand. */
export const GAP_AFTER_MS = 30_000;
/** A process says within a second of quiet that it has fewer jobs in hand. */
const HELD_SETTLES_MS = 3_000;
/** Longer than it takes a broker to notice that a connection is dead, and to hand out again what it held. */
const HELD_BY_DEAD_MS = 180_000;

export function auditOf(observed: Observation): AuditReport {
  const { nowMs, books, edited, broker, proof } = observed;
  const accounts = accountsOf(books, nowMs);
  const held = heldOf(books.sources);
  const rows = openRows(books);
  const inBroker = broker && waitingIn(broker) + broker.deadLetters;
  const missing = inBroker === undefined ? 0 : Math.max(0, rows - inBroker - held);
  const unrecorded = inBroker === undefined ? 0 : Math.max(0, inBroker - rows);
  const allGaps = gapsOf(books.sources, nowMs);
  const gaps = allGaps.filter(({ sinceMs }) => nowMs - sinceMs >= GAP_AFTER_MS);
  const newest = newestSign(books.sources);
  const silent = books.sources.filter((source) => isSilent(source, newest));
  const rowsMissing = Math.max(0, accounts.difference);

  const findings = [
    ...acceptanceFindings(accounts),
    ...gapFindings(gaps, broker),
    ...editedFindings(edited),
    ...openFindings(observed, missing, unrecorded),
    ...silentFindings(silent),
    ...quarantineFindings(books.quarantined),
    ...remadeFindings(books.remade.rows),
  ];
  const isOpen =
    broker === undefined ||
    broker.events + broker.deadLetters > 0 ||
    allGaps.length > gaps.length ||
    rows - (inBroker ?? 0) > Math.max(observed.lost.length, settledHeldOf(books.sources, nowMs));
  const hasFault = findings.some(({ severity }) => severity === 'fault');
  return {
    at: isoOf(nowMs),
    verdict: hasFault ? 'fault' : isOpen ? 'open' : 'clean',
    unaccounted: rowsMissing + edited.count + observed.lost.length,
    accepted: { told: accounts.told, again: accounts.again, implied: accounts.implied },
    states: statesOf(books),
    difference: accounts.difference,
    broker: broker
      ? {
          ready: sumOf([...broker.ready.values()]),
          delayed: broker.delayed,
          suspects: broker.suspects,
          deadLetters: broker.deadLetters,
          held,
          events: broker.events,
        }
      : null,
    open: { rows, missing, unrecorded, queues: queuesOf(observed) },
    proof,
    gaps: gaps.slice(0, MOST_NAMED).map(({ source, first, last, sinceMs }) => ({
      source: source.source,
      role: source.role,
      host: source.host,
      first,
      last,
      since: isoOf(sinceMs),
    })),
    silent: silent.slice(0, MOST_NAMED).map(({ source, role, host, lastAtMs, lastSeq, held: last }) => ({
      source,
      role,
      host,
      lastSeenAt: isoOf(lastAtMs),
      lastSeq,
      held: last,
    })),
    edited: [...edited.rows],
    findings,
  };
}

export const MOST_NAMED = 100;

/** Acceptances against rows. Both are written in one transaction and read in one, so a difference needs no proof. */
interface Accounts {
  readonly told: number;
  readonly again: number;
  readonly implied: number;
  /** Positive: acceptances without a row. Negative: rows without an acceptance. */
  readonly difference: number;
}

function accountsOf({ rows, deleted, sources, forgotten, remade }: Books, nowMs: number): Accounts {
  const ledgers = sources.map(({ ledger, batches }) => enter(ledger, batches, nowMs));
  const told = forgotten.accepted + sumOf(ledgers.map(({ accepted }) => accepted));
  const again = forgotten.acceptedAgain + sumOf(ledgers.map(({ acceptedAgain }) => acceptedAgain));
  const jobs =
    countAccepted(rows) - countAccepted(remade.rows) + sumOf(deleted.map(({ accepted }) => accepted));
  const implied =
    countImplied(rows) -
    countImplied(remade.rows) +
    sumOf(deleted.map(({ count, accepted }) => count - accepted));
  // The acceptance in a row that was made anew is told a second time, or for the first time of a job that is forgotten.
  const late = countAccepted(remade.rows) + remade.acceptedDeleted;
  // A second acceptance is a job of its own when the first one was never told, else the same job: anything in between is right.
  const difference = jobs + late < told ? told - jobs - late : Math.min(0, told + again - jobs);
  return { told, again, implied, difference };
}

function countAccepted(rows: Books['rows']): number {
  return sumOf(rows.map(({ isAccepted, count }) => (isAccepted ? count : 0)));
}

function countImplied(rows: Books['rows']): number {
  return sumOf(rows.map(({ isAccepted, count }) => (isAccepted ? 0 : count)));
}

function acceptanceFindings({ difference, told, again, implied }: Accounts): Finding[] {
  const findings: Finding[] = [];
  if (difference > 0) {
    const detail = `${told} jobs were accepted, but ${difference} of them have no row: rows were deleted, or could not be recorded`;
    findings.push({ code: 'rows_missing', severity: 'fault', count: difference, detail, ids: [] });
  }
  if (difference < 0) {
    const detail = `${-difference} rows say that their job was accepted, but no process has told so (${told} told, ${again} told again): rows were added or restored`;
    findings.push({ code: 'rows_surplus', severity: 'fault', count: -difference, detail, ids: [] });
  }
  if (implied > 0) {
    const detail = `the acceptance of ${implied} jobs was never told (its process ended first, or another program published them); the jobs are there`;
    findings.push({ code: 'acceptance_unrecorded', severity: 'notice', count: implied, detail, ids: [] });
  }
  return findings;
}

interface SourceGap {
  readonly source: SourceBooks;
  readonly first: number;
  readonly last: number;
  readonly sinceMs: number;
}

/** Also of the books that are not made up yet; those gaps count from now on. */
export function gapsOf(sources: readonly SourceBooks[], nowMs: number): SourceGap[] {
  return sources.flatMap((source) =>
    enter(source.ledger, source.batches, nowMs).gaps.map((gap) => ({ source, ...gap })),
  );
}

/** While batches wait for a recorder, those that are missing may be among them. */
function gapFindings(gaps: readonly SourceGap[], broker: BrokerCounts | undefined): Finding[] {
  if (gaps.length === 0) return [];
  const count = sumOf(gaps.map(({ first, last }) => last - first + 1));
  const named = gaps
    .slice(0, 3)
    .map(({ source, first, last }) => `${first === last ? first : `${first} to ${last}`} of ${source.host}`);
  const mayCome = broker === undefined || broker.events > 0;
  const where = mayCome ? 'on their way, lost' : 'lost';
  const detail = `${count} batches of events have not come although later ones have (${named.join(', ')}): ${where}, or in the spool of that machine`;
  const ids = [...new Set(gaps.map(({ source }) => source.source))].slice(0, MOST_NAMED);
  return [{ code: 'batches_missing', severity: mayCome ? 'notice' : 'fault', count, detail, ids }];
}

function editedFindings({ count, rows }: Observation['edited']): Finding[] {
  if (count === 0) return [];
  const detail = `${count} rows contradict themselves: somebody has changed them in the database`;
  return [{ code: 'row_edited', severity: 'fault', count, detail, ids: rows.map(({ id }) => id) }];
}

/** Rows that have not ended against what the broker holds. */
function openFindings(observed: Observation, missing: number, unrecorded: number): Finding[] {
  const { broker, lost, oldestOpen, proof } = observed;
  const findings: Finding[] = [];
  if (broker === undefined) {
    const detail = 'the broker could not be asked, so what has not ended is compared with nothing';
    findings.push({ code: 'broker_unknown', severity: 'notice', count: 1, detail, ids: [] });
  }
  if (lost.length > 0) {
    const detail = `${lost.length} jobs have not ended, and are not in the broker either: they are lost`;
    const ids = lost.slice(0, MOST_NAMED);
    findings.push({ code: 'job_lost', severity: 'fault', count: lost.length, detail, ids });
  }
  const unproven = missing - lost.length;
  if (unproven > 0) {
    const detail = `${unproven} more jobs have not ended than the broker holds: on their way, or lost; ${proof.detail}`;
    const known = new Set(lost);
    const ids = oldestOpen.filter((id) => !known.has(id));
    findings.push({ code: 'job_missing', severity: 'notice', count: unproven, detail, ids });
  }
  if (unrecorded > 0) {
    const detail = `the broker holds ${unrecorded} more jobs than have a row: on their way, or their acceptance was lost with its process`;
    findings.push({ code: 'job_unrecorded', severity: 'notice', count: unrecorded, detail, ids: [] });
  }
  return findings;
}

/** By the clock of the recorder: compared with the newest sign of any process, so that a recorder that was away accuses nobody. */
function isSilent(source: SourceBooks, newestMs: number): boolean {
  return !source.hasEnded && newestMs - source.lastAtMs > SILENT_AFTER_MS;
}

function newestSign(sources: readonly SourceBooks[]): number {
  return sources.reduce((newest, { lastAtMs }) => Math.max(newest, lastAtMs), 0);
}

export function livingOf(sources: readonly SourceBooks[]): SourceBooks[] {
  const newest = newestSign(sources);
  return sources.filter((source) => !source.hasEnded && !isSilent(source, newest));
}

function heldOf(sources: readonly SourceBooks[]): number {
  return sumOf(livingOf(sources).map(({ held }) => held));
}

/** Of processes that have been quiet since: a batch says what was in hand before the jobs in it were acked. */
function settledHeldOf(sources: readonly SourceBooks[], nowMs: number): number {
  return heldOf(sources.filter(({ lastAtMs }) => nowMs - lastAtMs >= HELD_SETTLES_MS));
}

/**
 * Whether a process has jobs in hand, or has fallen silent and may have some that the broker has not taken back: also if it had none
 * when it was last heard, for a handler that blocks its loop keeps it from telling what it has taken since.
 */
export function mayHold(sources: readonly SourceBooks[]): boolean {
  const newest = newestSign(sources);
  return sources.some((source) => {
    const { hasEnded: isGone, held, lastAtMs, role } = source;
    if (isGone || newest - lastAtMs >= HELD_BY_DEAD_MS) return false;
    return held > 0 || (isSilent(source, newest) && (role === 'work' || role === 'start'));
  });
}

function silentFindings(silent: readonly SourceBooks[]): Finding[] {
  if (silent.length === 0) return [];
  const hosts = silent.slice(0, 5).map(({ role, host }) => `${role} on ${host}`);
  const more = silent.length > hosts.length ? `, and ${silent.length - hosts.length} more` : '';
  const detail = `${silent.length} processes have ended without a goodbye (${hosts.join(', ')}${more}): a kill or a crash, which can lose the last acceptances told, but no job`;
  const ids = silent.slice(0, MOST_NAMED).map(({ source }) => source);
  return [{ code: 'source_silent', severity: 'notice', count: silent.length, detail, ids }];
}

function quarantineFindings(count: number): Finding[] {
  if (count === 0) return [];
  const detail = `${count} events or dead letters could not be recorded; they are kept with their bytes in sluice_quarantine`;
  return [{ code: 'quarantined', severity: 'notice', count, detail, ids: [] }];
}

function remadeFindings(rows: Books['rows']): Finding[] {
  const count = sumOf(rows.map((row) => row.count));
  if (count === 0) return [];
  const detail = `${count} rows were made by news that came after their jobs had been forgotten; they are counted as nothing, and forgotten again`;
  return [{ code: 'job_remade', severity: 'notice', count, detail, ids: [] }];
}

/** Jobs that wait in the broker; those in hand are not among them. */
export function waitingIn({ ready, delayed, suspects }: BrokerCounts): number {
  return sumOf([...ready.values()]) + delayed + suspects;
}

export function openRows({ rows, remade }: Books): number {
  return countOpen(rows) - countOpen(remade.rows);
}

function countOpen(rows: Books['rows']): number {
  return sumOf(rows.map(({ state, count }) => (hasEnded(state) ? 0 : count)));
}

function statesOf({ rows, deleted }: Books): AuditReport['states'] {
  const countOf = (state: string): { rows: number; deleted: number } => ({
    rows: sumOf(rows.filter((row) => row.state === state).map(({ count }) => count)),
    deleted: sumOf(deleted.filter((total) => total.state === state).map(({ count }) => count)),
  });
  return Object.fromEntries(states.map((state) => [state, countOf(state)]));
}

function queuesOf({ openByQueue, broker }: Observation): AuditReport['open']['queues'] {
  const ready = broker?.ready ?? new Map<string, number>();
  const rows = new Map(openByQueue.map(({ queue, count }) => [queue, count]));
  return [...new Set([...rows.keys(), ...ready.keys()])]
    .sort()
    .map((queue) => ({ queue, rows: rows.get(queue) ?? 0, ready: ready.get(queue) ?? 0 }));
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
