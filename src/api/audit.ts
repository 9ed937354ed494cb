/** What `GET /v1/audit` answers and `sluice verify` prints: whether every job that was accepted can be accounted for. */
import type { Static } from 'typebox';
import { states } from '../job/state.js';
import { Type } from '../runtime/typebox.js';

const closed = { additionalProperties: false };
const Count = Type.Integer({ minimum: 0 });
const Time = Type.String({ format: 'date-time' });
const counted = (description: string) => Type.Integer({ minimum: 0, description });

/**
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

export const Finding = Type.Object(
  {
    code: Type.Enum([...findingCodes]),
    severity: Type.Enum(['fault', 'notice'], {
      description:
        '`fault`: a job, a row or a batch is lost or altered. `notice`: good to know, or not proven yet.',
    }),
    count: Count,
    detail: Type.String({ description: 'One sentence for a person.' }),
    ids: Type.Array(Type.String(), {
      description: 'Of jobs or sources, where they are known; the first 100.',
    }),
  },
  closed,
);
export type Finding = Static<typeof Finding>;

const Accepted = Type.Object(
  {
    told: counted('First acceptances, as counted by the processes that accepted.'),
    again: counted('Accepted again after an unknown outcome: the job may or may not be among `told`.'),
    implied: counted(
      'Jobs whose acceptance was lost with its process, known by what happened to them afterwards.',
    ),
  },
  closed,
);

const Held = Type.Object(
  {
    ready: Count,
    delayed: Count,
    suspects: Count,
    deadLetters: Count,
    held: counted('In the hands of living processes.'),
    events: counted('Batches of events that wait for a recorder.'),
  },
  closed,
);

const Open = Type.Object(
  {
    rows: counted('Rows of jobs that have not ended.'),
    missing: counted('More rows than the broker holds: on their way, or lost.'),
    unrecorded: counted('More in the broker than rows: on their way, or their acceptance was lost.'),
    queues: Type.Array(Type.Object({ queue: Type.String(), rows: Count, ready: Count }, closed)),
  },
  closed,
);

const Proof = Type.Object(
  {
    state: Type.Enum(['none', 'waiting', 'proven'], {
      description: '`waiting`: empty once. `none`: not empty, nothing was proven.',
    }),
    provenThrough: Type.Union([Time, Type.Null()], {
      description: 'What had not ended then, and of which nothing was heard since, is lost.',
    }),
    detail: Type.String({ description: 'What it waits for.' }),
  },
  {
    ...closed,
    description:
      "Rows that have not ended are proven lost when the broker and the recorder's queue are empty, twice, with a sign of life of every process in between.",
  },
);

const source = { source: Type.String(), role: Type.String(), host: Type.String() };

const Gap = Type.Object(
  {
    ...source,
    first: counted('Number of the first batch missing.'),
    last: counted('Number of the last one.'),
    since: Time,
  },
  closed,
);

const Silent = Type.Object({ ...source, lastSeenAt: Time, lastSeq: Count, held: Count }, closed);

const Edited = Type.Object(
  {
    id: Type.String(),
    state: Type.String(),
    expected: Type.String({ description: "What the row's position says." }),
  },
  closed,
);

export const AuditReport = Type.Object(
  {
    at: Time,
    verdict: Type.Enum(['clean', 'open', 'fault'], {
      description: '`open`: rows and broker differ, and it takes a moment of rest to prove why: see `proof`.',
    }),
    unaccounted: counted(
      'Jobs that cannot be accounted for: acceptances without a row, edited rows, rows proven to be lost.',
    ),
    accepted: Accepted,
    states: Type.Object(
      Object.fromEntries(
        states.map((state) => [state, Type.Object({ rows: Count, deleted: Count }, closed)]),
      ),
      { ...closed, description: 'Jobs by state: rows, and rows that retention has deleted.' },
    ),
    difference: Type.Integer({
      description:
        'Acceptances told minus the jobs they have become; 0 when the books agree. Negative: more jobs than acceptances.',
    }),
    broker: Type.Union([Held, Type.Null()], {
      description: 'What the broker holds; null when it could not be asked.',
    }),
    open: Open,
    proof: Proof,
    gaps: Type.Array(Gap),
    silent: Type.Array(Silent),
    edited: Type.Array(Edited),
    findings: Type.Array(Finding),
  },
  closed,
);
export type AuditReport = Static<typeof AuditReport>;
