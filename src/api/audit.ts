/** What `GET /v1/audit` answers and `sluice verify` prints: whether every job that was accepted can be accounted for. */
import Type, { type Static } from 'typebox';
import { states } from '../job/state.js';

const Count = Type.Integer({ minimum: 0 });
const Time = Type.String({ format: 'date-time' });

/**
 * `fault`: a job, a row or a batch is lost or altered. `notice`: good to know, or not proven yet.
 * rows_missing: acceptances without a row. rows_surplus: rows without an acceptance. batches_missing: gaps in what a source has
 * sent. row_edited: columns of a row contradict each other. job_lost: not ended, and not in the broker either.
 * job_missing: the same, but not proven yet. job_unrecorded: in the broker without a row. acceptance_unrecorded: a row that other
 * events have implied. source_silent: a process ended without a goodbye. quarantined: events that could not be recorded.
 * job_remade: late news has made rows anew of jobs that were forgotten. broker_unknown: the broker could not be asked.
 */
const findingCodes = [
  'rows_missing',
  'rows_surplus',
  'batches_missing',
  'row_edited',
  'job_lost',
  'job_missing',
  'job_unrecorded',
  'acceptance_unrecorded',
  'source_silent',
  'quarantined',
  'job_remade',
  'broker_unknown',
] as const;

export const Finding = Type.Object({
  code: Type.Enum([...findingCodes]),
  severity: Type.Enum(['fault', 'notice']),
  count: Count,
  /** One sentence for a person. */
  detail: Type.String(),
  /** Of jobs or sources, where they are known; the first 100. */
  ids: Type.Array(Type.String()),
});
export type Finding = Static<typeof Finding>;

export const AuditReport = Type.Object({
  at: Time,
  /** `open`: rows and broker differ, and it takes a moment of rest to prove why: see `proof`. */
  verdict: Type.Enum(['clean', 'open', 'fault']),
  /** Jobs that cannot be accounted for: acceptances without a row, edited rows, rows proven to be lost. */
  unaccounted: Count,
  accepted: Type.Object({
    /** First acceptances, as counted by the processes that accepted. */
    told: Count,
    /** Accepted again after an unknown outcome: the job may or may not be among `told`. */
    again: Count,
    /** Jobs whose acceptance was lost with its process, known by what happened to them afterwards. */
    implied: Count,
  }),
  /** Jobs by state: rows, and rows that retention has deleted. */
  states: Type.Object(
    Object.fromEntries(states.map((state) => [state, Type.Object({ rows: Count, deleted: Count })])),
  ),
  /** Acceptances told minus the jobs they have become; 0 when the books agree. Negative: more jobs than acceptances. */
  difference: Type.Integer(),
  /** What the broker holds; null when it could not be asked. `held`: in the hands of living processes. */
  broker: Type.Union([
    Type.Object({
      ready: Count,
      delayed: Count,
      suspects: Count,
      deadLetters: Count,
      held: Count,
      /** Batches of events that wait for a recorder. */
      events: Count,
    }),
    Type.Null(),
  ]),
  open: Type.Object({
    /** Rows of jobs that have not ended. */
    rows: Count,
    /** More rows than the broker holds: on their way, or lost. */
    missing: Count,
    /** More in the broker than rows: on their way, or their acceptance was lost. */
    unrecorded: Count,
    queues: Type.Array(Type.Object({ queue: Type.String(), rows: Count, ready: Count })),
  }),
  /**
   * Rows that have not ended are proven lost when the broker and the recorder's queue are empty, twice, with a sign of life of every
   * process in between. `waiting`: empty once. `none`: not empty, nothing was proven. `provenThrough`: what had not ended then, and of which
   * nothing was heard since, is lost.
   */
  proof: Type.Object({
    state: Type.Enum(['none', 'waiting', 'proven']),
    provenThrough: Type.Union([Time, Type.Null()]),
    /** What it waits for. */
    detail: Type.String(),
  }),
  gaps: Type.Array(
    Type.Object({
      source: Type.String(),
      role: Type.String(),
      host: Type.String(),
      /** Numbers of the first and the last batch missing. */
      first: Count,
      last: Count,
      since: Time,
    }),
  ),
  silent: Type.Array(
    Type.Object({
      source: Type.String(),
      role: Type.String(),
      host: Type.String(),
      lastSeenAt: Time,
      lastSeq: Count,
      held: Count,
    }),
  ),
  edited: Type.Array(
    Type.Object({
      id: Type.String(),
      state: Type.String(),
      /** What the row's position says. */
      expected: Type.String(),
    }),
  ),
  findings: Type.Array(Finding),
});
export type AuditReport = Static<typeof AuditReport>;
