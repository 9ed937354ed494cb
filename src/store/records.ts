/** What the recorder writes: rows merged in SQL by the rule of `job/fold`, so that several recorders may write at once, in any order. */
import { createHash } from 'node:crypto';
import type { AttemptRow, JobRow, PayloadRow } from '../job/fold.js';
import type { Clock } from '../runtime/clock.js';
import { createRemadeMarks } from './remade.js';
import type { Sql, Statement } from './sql.js';
import type { Recording, Records } from './store.js';
import { createUpsert } from './upserts.js';

type Receipt = Recording['receipts'][number];
type Flow = Recording['flow'][number];

export function createRecords(sql: Sql, clock: Clock): Records {
  const statementsOf = createRecordStatements(sql);
  return {
    async record(recording) {
      await sql.write(statementsOf(recording, clock.now()));
    },
    async quarantine({ origin, reason, raw, atMs }) {
      await sql.write([
        sql.build
          .insertInto('sluice_quarantine')
          .values({ origin, reason, raw, at_ms: atMs, digest: digestOf(origin, reason, raw) })
          .onConflict((conflict) => conflict.column('digest').doNothing())
          .compile(),
      ]);
    },
  };
}

/** Of a dead letter the reason says what its bytes do not: id, type and headers. That of events may change with the database's words. */
function digestOf(origin: string, reason: string, raw: Buffer): string {
  const told = origin === 'dead' ? reason : '';
  return createHash('sha256').update(`${origin}\0${told}\0`).update(raw).digest('hex');
}

/** @returns what makes the statements of one transaction; `nowMs` by the clock of the recorder */
export function createRecordStatements(
  sql: Pick<Sql, 'build' | 'dialect'>,
): (recording: Recording, nowMs: number) => Statement[] {
  const remadeMarks = createRemadeMarks(sql);
  const jobs = createUpsert<JobRow>(sql, {
    table: 'sluice_jobs',
    columns: {
      id: (row) => row.id,
      is_accepted: (row) => (row.isAccepted ? 1 : 0),
      max_attempts: (row) => row.maxAttempts,
      timeout_ms: (row) => row.timeoutMs,
      expires_at_ms: (row) => row.expiresAtMs,
      trace_id: (row) => row.traceId,
      type: (row) => row.type,
      queue: (row) => row.queue,
      lane: (row) => row.lane,
      position: (row) => row.position,
      tie: (row) => row.tie,
      state: (row) => row.state,
      run: (row) => row.run,
      attempt: (row) => row.attempt,
      due_at_ms: (row) => row.dueAtMs,
      started_at_ms: (row) => row.startedAtMs,
      finished_at_ms: (row) => row.finishedAtMs,
      result: (row) => json(row.result),
      result_cut_from: (row) => row.resultCutFrom,
      reason: (row) => row.reason,
      failure: (row) => json(row.failure),
      error_group: (row) => row.errorGroup,
      progress_position: (row) => row.progressPosition,
      percent: (row) => row.percent,
      note: (row) => row.note,
    },
    conflict: {
      key: ['id'],
      set: {
        is_accepted: greater('is_accepted'),
        max_attempts: greaterOrOnly('max_attempts'),
        timeout_ms: greaterOrOnly('timeout_ms'),
        expires_at_ms: greaterOrOnly('expires_at_ms'),
        trace_id: greaterOrOnly('trace_id'),
        ...groupOf(isLater, [
          'type',
          'queue',
          'lane',
          'position',
          'tie',
          'state',
          'run',
          'attempt',
          'due_at_ms',
          'started_at_ms',
          'finished_at_ms',
          'result',
          'result_cut_from',
          'reason',
          'failure',
          'error_group',
        ]),
        ...groupOf(hasNewerProgress, ['progress_position', 'percent', 'note']),
      },
      // What brings nothing new writes nothing: batches come again after a recorder's crash.
      where: `${isLater} or excluded.is_accepted = 1 or excluded.progress_position > 0`,
    },
  });
  const attempts = createUpsert<AttemptRow>(sql, {
    table: 'sluice_attempts',
    columns: {
      id: (row) => row.id,
      run: (row) => row.run,
      attempt: (row) => row.attempt,
      rank: (row) => row.rank,
      tie: (row) => row.tie,
      outcome: (row) => row.outcome,
      started_at_ms: (row) => row.startedAtMs,
      ended_at_ms: (row) => row.endedAtMs,
      failure: (row) => json(row.failure),
    },
    conflict: {
      key: ['id', 'run', 'attempt'],
      set: newValuesOf(['rank', 'tie', 'outcome', 'started_at_ms', 'ended_at_ms', 'failure']),
      where: '(excluded.rank, excluded.tie) > (sluice_attempts.rank, sluice_attempts.tie)',
    },
  });
  const payloads = createUpsert<PayloadRow>(sql, {
    table: 'sluice_payloads',
    columns: { id: (row) => row.id, run: (row) => row.run, payload: (row) => json(row.payload) },
    conflict: {
      key: ['id'],
      set: newValuesOf(['run', 'payload']),
      where:
        'excluded.run > sluice_payloads.run or ' +
        '(excluded.run = sluice_payloads.run and excluded.payload > sluice_payloads.payload)',
    },
  });
  const batches = createUpsert<Receipt>(sql, {
    table: 'sluice_source_batches',
    columns: {
      source: (receipt) => receipt.source,
      seq: (receipt) => receipt.seq,
      accepted: (receipt) => receipt.accepted,
      accepted_again: (receipt) => receipt.acceptedAgain,
    },
    conflict: { key: ['source', 'seq'] },
  });
  const sources = createUpsert<Receipt & { readonly nowMs: number }>(sql, {
    table: 'sluice_sources',
    columns: {
      source: (receipt) => receipt.source,
      role: (receipt) => receipt.role,
      host: (receipt) => receipt.host,
      first_at_ms: (receipt) => receipt.nowMs,
      last_at_ms: (receipt) => receipt.nowMs,
      last_seq: (receipt) => receipt.seq,
      held: (receipt) => receipt.held,
      has_ended: (receipt) => (receipt.isLast ? 1 : 0),
    },
    conflict: {
      key: ['source'],
      set: {
        last_at_ms: greater('last_at_ms', 'sluice_sources'),
        ...groupOf(
          'excluded.last_seq > sluice_sources.last_seq',
          ['last_seq', 'held', 'has_ended'],
          'sluice_sources',
        ),
      },
    },
  });
  const flowCounts = ['accepted', 'succeeded', 'retried', 'dead', 'cancelled'] as const;
  const flow = createUpsert<Flow>(sql, {
    table: 'sluice_flow',
    columns: {
      bucket_ms: (counts) => counts.bucketMs,
      queue: (counts) => counts.queue,
      ...Object.fromEntries(flowCounts.map((name) => [name, (counts: Flow) => counts[name]])),
    },
    conflict: {
      key: ['bucket_ms', 'queue'],
      set: Object.fromEntries(flowCounts.map((name) => [name, `sluice_flow.${name} + excluded.${name}`])),
    },
  });

  return (recording, nowMs) => [
    ...remadeMarks(recording.rows, nowMs),
    ...jobs(recording.rows),
    ...attempts(recording.attempts),
    ...payloads(recording.payloads),
    ...batches(recording.receipts.toSorted(bySource)),
    ...sources(newestOf(recording.receipts).map((receipt) => ({ ...receipt, nowMs }))),
    // Last, as every recorder changes the same few rows: the others wait for them until the commit.
    ...flow(sumsOf(recording.flow)),
  ];
}

/** The rule of job/fold for the group of state. */
const isLater = '(excluded.position, excluded.tie) > (sluice_jobs.position, sluice_jobs.tie)';

const hasNewerProgress = `${progressOf('excluded')} > ${progressOf('sluice_jobs')}`;

function progressOf(table: string): string {
  return `(${table}.progress_position, coalesce(${table}.percent, 0), coalesce(${table}.note, ''))`;
}

/** These columns are of the new row if `condition` holds, else of the old one. */
function groupOf(
  condition: string,
  columns: readonly string[],
  table = 'sluice_jobs',
): Record<string, string> {
  return Object.fromEntries(
    columns.map((name) => [name, `case when ${condition} then excluded.${name} else ${table}.${name} end`]),
  );
}

function newValuesOf(columns: readonly string[]): Record<string, string> {
  return Object.fromEntries(columns.map((name) => [name, `excluded.${name}`]));
}

function greater(column: string, table = 'sluice_jobs'): string {
  return `case when excluded.${column} > ${table}.${column} then excluded.${column} else ${table}.${column} end`;
}

function greaterOrOnly(column: string): string {
  const [now, before] = [`excluded.${column}`, `sluice_jobs.${column}`];
  return `case when ${before} is null or ${now} > ${before} then ${now} else ${before} end`;
}

/** A raw U+0000 can stand in no JSON, and PostgreSQL holds none in a text: its escape says the same. */
function json(text: string | null): string | null {
  return text?.includes('\0') ? text.replaceAll('\0', '\\u0000') : text;
}

function bySource(a: Receipt, b: Receipt): number {
  return a.source < b.source ? -1 : a.source > b.source ? 1 : a.seq - b.seq;
}

/** One receipt a source: of its greatest seq. */
function newestOf(receipts: readonly Receipt[]): Receipt[] {
  const newest = new Map<string, Receipt>();
  for (const receipt of receipts.toSorted(bySource)) newest.set(receipt.source, receipt);
  return [...newest.values()];
}

/** Each queue and bucket once, in the order of the key. */
function sumsOf(flow: readonly Flow[]): Flow[] {
  const sums = new Map<string, Flow>();
  for (const counts of flow) {
    const key = `${String(counts.bucketMs).padStart(16, '0')} ${counts.queue}`;
    const sum = sums.get(key);
    sums.set(
      key,
      sum === undefined
        ? counts
        : {
            ...counts,
            accepted: sum.accepted + counts.accepted,
            succeeded: sum.succeeded + counts.succeeded,
            retried: sum.retried + counts.retried,
            dead: sum.dead + counts.dead,
            cancelled: sum.cancelled + counts.cancelled,
          },
    );
  }
  return [...sums.keys()].sort().map((key) => sums.get(key) as Flow);
}
