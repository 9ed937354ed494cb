import { expect } from 'chai';
import fc from 'fast-check';
import { v7 } from 'uuid';
import type { JobEvent } from '../../src/job/event.js';
import {
  type Folded,
  fold,
  type JobRow,
  mergeAttempts,
  mergePayloads,
  mergeRows,
  progressOf,
} from '../../src/job/fold.js';
import type { State } from '../../src/job/state.js';
import { anyEvent } from './support/any-event.js';

const acceptedMs = Date.UTC(2026, 0, 1);
const about = {
  id: v7({ msecs: acceptedMs }),
  type: 'echo',
  queue: 'default',
  lane: 'normal',
  run: 1,
  attempt: 1,
  dueAtMs: acceptedMs,
  atMs: acceptedMs + 5,
} as const;
const failure = { name: 'TypeError', message: 'no luck' };

const accepted: JobEvent = { ...about, kind: 'accepted' };
const started: JobEvent = { ...about, kind: 'started' };
const progressed: JobEvent = { ...about, kind: 'progressed', step: 1, percent: 40, note: 'so far' };
const retried: JobEvent = {
  ...about,
  kind: 'retried',
  startedAtMs: acceptedMs + 5,
  nextDueAtMs: acceptedMs + 900,
  failure,
};
const startedAgain: JobEvent = { ...about, kind: 'started', attempt: 2, dueAtMs: acceptedMs + 900 };
const succeeded: JobEvent = {
  ...about,
  kind: 'succeeded',
  attempt: 2,
  startedAtMs: acceptedMs + 901,
  result: '{"ok":true}',
};
const cancelled: JobEvent = { ...about, kind: 'cancelled', failure, payload: '{}' };
const dead: JobEvent = { ...about, kind: 'deadLettered', reason: 'exhausted', failure, payload: '{"n":1}' };
const discarded: JobEvent = { ...about, kind: 'discarded' };
const replayed: JobEvent = { ...about, kind: 'replayed', run: 2, payload: '{"n":2}' };

function rowAfter(...events: readonly JobEvent[]): JobRow {
  const [row] = fold(events).rows;
  if (row === undefined) throw new Error('there is no row');
  return row;
}

/** What the store does: each batch folded by itself, and its rows merged into those that are there. */
function store(batches: readonly (readonly JobEvent[])[]): Folded {
  const all = batches.map(fold);
  return {
    rows: merged(
      all.flatMap(({ rows }) => rows),
      ({ id }) => id,
      mergeRows,
    ),
    attempts: merged(
      all.flatMap(({ attempts }) => attempts),
      ({ id, run, attempt }) => `${id} ${run} ${attempt}`,
      mergeAttempts,
    ),
    payloads: merged(
      all.flatMap(({ payloads }) => payloads),
      ({ id }) => id,
      mergePayloads,
    ),
  };
}

function merged<Row>(
  rows: readonly Row[],
  keyOf: (row: Row) => string,
  merge: (a: Row, b: Row) => Row,
): Row[] {
  const byKey = new Map<string, Row>();
  for (const row of rows) {
    const known = byKey.get(keyOf(row));
    byKey.set(keyOf(row), known === undefined ? row : merge(row, known));
  }
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

/** Events, and the same in any order, each at least once, in batches of any size. */
const shuffled = fc.array(anyEvent, { maxLength: 30 }).chain((events) =>
  fc
    .tuple(fc.shuffledSubarray(events, { minLength: events.length }), fc.shuffledSubarray(events))
    .chain(([whole, again]) => {
      const arrived = [...whole, ...again];
      return fc
        .array(fc.nat({ max: arrived.length }), { maxLength: 5 })
        .map((cuts) => ({ events, batches: batchesOf(arrived, cuts) }));
    }),
);

function batchesOf(events: readonly JobEvent[], cuts: readonly number[]): JobEvent[][] {
  const bounds = [0, ...cuts.toSorted((a, b) => a - b), events.length];
  return bounds.slice(1).map((bound, index) => events.slice(bounds[index], bound));
}

describe('the fold of job events', () => {
  it('makes the same rows of any order, repetition and split into batches', () => {
    fc.assert(
      fc.property(shuffled, ({ events, batches }) => {
        expect(store(batches)).to.deep.equal(fold(events));
      }),
      { numRuns: 500 },
    );
  });

  it('makes each row once, sorted by id', () => {
    fc.assert(
      fc.property(fc.array(anyEvent), (events) => {
        const ids = fold(events).rows.map(({ id }) => id);
        expect(ids).to.deep.equal([...new Set(events.map(({ id }) => id))].sort());
      }),
    );
  });

  const stories: readonly (readonly [title: string, events: readonly JobEvent[], state: State])[] = [
    ['accepted', [accepted], 'queued'],
    ['accepted with a delay', [{ ...accepted, dueAtMs: acceptedMs + 1 }], 'scheduled'],
    ['begun', [accepted, started], 'active'],
    ['begun, as only its progress says', [accepted, progressed], 'active'],
    ['failed once', [accepted, started, retried], 'retrying'],
    ['begun a second time', [accepted, started, retried, startedAgain], 'active'],
    ['done', [accepted, started, retried, startedAgain, succeeded], 'succeeded'],
    ['died', [accepted, started, dead], 'dead'],
    ['given up', [accepted, dead, discarded], 'discarded'],
    ['cancelled before it began', [accepted, cancelled], 'cancelled'],
    ['replayed', [accepted, dead, replayed], 'queued'],
    ['replayed with a delay', [dead, { ...replayed, dueAtMs: replayed.atMs + 1 }], 'scheduled'],
    ['replayed after it was cancelled', [cancelled, replayed], 'queued'],
    ['dead in one process, done in another', [succeeded, { ...dead, attempt: 3 }], 'succeeded'],
    ['cancelled and dead', [cancelled, { ...dead, attempt: 3 }], 'cancelled'],
    ['done, and begun once more by a redelivery', [succeeded, { ...started, attempt: 3 }], 'succeeded'],
  ];
  for (const [title, events, state] of stories) {
    it(`shows a job that was ${title} as ${state}`, () => {
      expect(rowAfter(...events).state).to.equal(state);
    });
  }

  it('keeps what the end of a run says, and nothing of what came before', () => {
    expect(rowAfter(accepted, started, retried, startedAgain, succeeded)).to.include({
      isAccepted: true,
      run: 1,
      attempt: 2,
      startedAtMs: acceptedMs + 901,
      finishedAtMs: about.atMs,
      result: '{"ok":true}',
      failure: null,
    });
  });

  it('takes any event for a sign of a job, and says that nobody has seen it accepted', () => {
    expect(rowAfter(started)).to.include({ isAccepted: false, state: 'active' });
    expect(rowAfter(started, accepted)).to.include({ isAccepted: true, state: 'active' });
  });

  it('knows when an attempt began although its progress is heard of, too', () => {
    expect(rowAfter(progressed, started).startedAtMs).to.equal(about.atMs);
    expect(rowAfter(started, { ...progressed, atMs: about.atMs + 7 }).startedAtMs).to.equal(about.atMs);
  });

  it('waits for the next attempt until the time that the retry names', () => {
    expect(rowAfter(retried)).to.include({ dueAtMs: acceptedMs + 900, failure: JSON.stringify(failure) });
  });

  it('shows the newest progress of the present attempt alone', () => {
    const later: JobEvent = { ...about, kind: 'progressed', step: 2, percent: 60 };
    expect(progressOf(rowAfter(started))).to.equal(null);
    expect(progressOf(rowAfter(later, progressed))).to.deep.equal({ percent: 60, note: null });
    expect(progressOf(rowAfter(later, progressed, startedAgain))).to.equal(null);
  });

  it('lists every attempt that failed, and none that never was', () => {
    const expired: JobEvent = { ...dead, attempt: 3, reason: 'expired' };
    const { attempts } = fold([retried, { ...dead, attempt: 2 }, expired, { ...cancelled, attempt: 4 }]);
    expect(attempts.map(({ attempt, outcome }) => [attempt, outcome])).to.deep.equal([
      [1, 'retried'],
      [2, 'dead'],
    ]);
  });

  it('compares texts by their bytes, as the databases do', () => {
    const [private_, astral] = ['\u{e000}', '\u{1f600}'];
    const progress = (note: string): JobEvent => ({
      ...about,
      kind: 'progressed',
      step: 1,
      percent: 5,
      note,
    });
    for (const order of [
      [private_, astral],
      [astral, private_],
    ]) {
      expect(fold(order.map(progress)).rows[0]?.note).to.equal(astral);
      const payloads = order.map((payload) => ({ id: about.id, run: 1, payload }));
      expect(payloads.reduce(mergePayloads).payload).to.equal(astral);
    }
  });

  it('keeps the payload of the newest run', () => {
    expect(fold([replayed, dead]).payloads).to.deep.equal([{ id: about.id, run: 2, payload: '{"n":2}' }]);
  });

  it('gives a dead job an error group, and no other', () => {
    expect(rowAfter(dead).errorGroup).to.match(/^[0-9a-f]{16}$/);
    expect(rowAfter(dead, discarded).errorGroup).to.equal(null);
    expect(rowAfter(retried).errorGroup).to.equal(null);
  });

  it('stays within safe integers, however large runs, attempts and steps are', () => {
    const most = Number.MAX_SAFE_INTEGER;
    const row = rowAfter(
      { ...progressed, run: most, attempt: most, step: most },
      { ...succeeded, run: most },
    );
    expect(Number.isSafeInteger(row.position)).to.equal(true);
    expect(Number.isSafeInteger(row.progressPosition)).to.equal(true);
  });
});
