/** Dead jobs, and the register of redrives, in memory: what the redriver works on, with every replay noted. */
import { StoreUnavailable } from '../../../src/job/errors.js';
import type { JobEvent } from '../../../src/job/event.js';
import type { JobRow } from '../../../src/job/fold.js';
import { createRedriver, type Redriver } from '../../../src/recorder/redriver.js';
import type { Replaying } from '../../../src/recorder/replaying.js';
import { createLog } from '../../../src/runtime/log.js';
import type { Health } from '../../../src/runtime/service.js';
import type { Redrive, Redrives } from '../../../src/store/redrives.js';
import type { JobReader } from '../../../src/store/store.js';
import type { ManualClock } from '../../support/manual-clock.js';
import { idOf } from './events.js';

type DeadJob = { state: 'dead' | 'queued' | 'discarded'; run: number; diedAtMs: number; queue: string };
type Held = { redrive: Redrive; driver: string | null; untilMs: number };

export interface Workbench {
  readonly jobs: Map<string, DeadJob>;
  readonly held: Map<string, Held>;
  /** What was published, in order. */
  readonly replays: { readonly id: string; readonly run: number; readonly atMs: number }[];
  readonly told: JobEvent[];
  /** Instead of the usual replay. */
  replay: (id: string) => ReturnType<Replaying['replay']>;
  /** The usual one: publishes, and the row knows at once. */
  readonly publish: Workbench['replay'];
  outcome: { ended: number; died: number };
  health: Health;
  isAway: boolean;
  /** That many dead jobs, numbered from 1. */
  kill(count: number): void;
  order(more?: Partial<Redrive>): string;
  /** Once its life is over nothing that it does arrives any more, as after a kill. */
  redriver(driver?: string, life?: { isOver: boolean }): Redriver;
  get(id: string): Redrive;
  readonly redrives: Redrives;
}

function mortal(redrives: Redrives, life: { readonly isOver: boolean }): Redrives {
  return new Proxy(redrives, {
    get: (target, name, receiver) =>
      life.isOver ? () => new Promise(() => {}) : Reflect.get(target, name, receiver),
  });
}

export function createWorkbench(clock: ManualClock): Workbench {
  const jobs: Workbench['jobs'] = new Map();
  const held: Workbench['held'] = new Map();
  const startMs = clock.now();
  const answer = async <Value>(work: () => Value): Promise<Value> => {
    await Promise.resolve();
    if (bench.isAway) throw new StoreUnavailable('the test has taken it away');
    return work();
  };
  const change = (id: string, part: Partial<Redrive>): Redrive | undefined => {
    const one = held.get(id);
    if (one !== undefined) one.redrive = { ...one.redrive, ...part };
    return one?.redrive;
  };

  const redrives: Redrives = {
    create: (redrive) => answer(() => void held.set(redrive.id, { redrive, driver: null, untilMs: 0 })),
    get: (id) => answer(() => held.get(id)?.redrive),
    list: () => answer(() => [...held.values()].map(({ redrive }) => redrive)),
    end: (id, state, reason, nowMs) =>
      answer(() => {
        if (held.get(id)?.redrive.state !== 'running') return false;
        change(id, { state, reason, endedAtMs: nowMs });
        return true;
      }),
    claim: (driver, nowMs, untilMs) =>
      answer(() => {
        const free = [...held.values()].find((one) => one.redrive.state === 'running' && one.untilMs < nowMs);
        if (free !== undefined) Object.assign(free, { driver, untilMs });
        return free?.redrive;
      }),
    book: (id, driver, step, nowMs, untilMs) =>
      answer(() => {
        const one = held.get(id);
        if (one === undefined || one.driver !== driver) return undefined;
        one.untilMs = untilMs;
        const { done, skipped } = one.redrive;
        const { cursor } = step;
        return change(id, {
          done: done + step.done,
          skipped: skipped + step.skipped,
          cursor,
          updatedAtMs: nowMs,
        });
      }),
    outcome: () => answer(() => bench.outcome),
    sweep: () => answer(() => false),
  };

  const reader: Pick<JobReader, 'deadIds' | 'get'> = {
    deadIds: ({ ids, diedBeforeMs = Number.POSITIVE_INFINITY }, { limit, cursor = '' }) =>
      answer(() => {
        const found = [...jobs]
          .filter(([id, job]) => job.state === 'dead' && job.diedAtMs < diedBeforeMs && id > cursor)
          .map(([id]) => id)
          .filter((id) => ids?.includes(id) ?? true)
          .sort();
        const page = found.slice(0, limit);
        return { ids: page, next: found.length > limit ? page.at(-1) : undefined };
      }),
    get: (id) =>
      answer(() => {
        const job = jobs.get(id);
        if (job === undefined) return undefined;
        const { state, run, queue, diedAtMs: finishedAtMs } = job;
        const row = {
          id,
          type: 'echo',
          queue,
          lane: 'normal',
          state,
          run,
          attempt: 1,
          dueAtMs: 0,
          finishedAtMs,
        };
        return { row: row as unknown as JobRow, attempts: [], payload: '1' };
      }),
  };

  const bench: Workbench = {
    jobs,
    held,
    replays: [],
    told: [],
    outcome: { ended: 0, died: 0 },
    health: { ok: true },
    isAway: false,
    redrives,
    publish: async (id) => {
      const job = await reader.get(id);
      const known = jobs.get(id);
      if (job === undefined || known === undefined) return { kind: 'unknown' };
      if (known.state !== 'dead') return { kind: 'forbidden' };
      known.run++;
      known.state = 'queued';
      bench.replays.push({ id, run: known.run, atMs: clock.now() - startMs });
      return { kind: 'replayed', job: { run: known.run } };
    },
    replay: (id) => bench.publish(id),
    kill(count) {
      for (let n = 1; n <= count; n++)
        jobs.set(idOf(n), { state: 'dead', run: 1, diedAtMs: startMs - 1, queue: 'default' });
    },
    order(more = {}) {
      const id = idOf(1_000 + held.size);
      const redrive: Redrive = {
        id,
        kind: 'replay',
        state: 'running',
        reason: null,
        filter: { diedBeforeMs: clock.now() + 1 },
        ratePerSecond: 10,
        matched: jobs.size,
        done: 0,
        skipped: 0,
        cursor: null,
        createdAtMs: clock.now(),
        updatedAtMs: clock.now(),
        endedAtMs: null,
        ...more,
      };
      held.set(id, { redrive, driver: null, untilMs: 0 });
      return id;
    },
    redriver: (driver = 'one', life = { isOver: false }) =>
      createRedriver({
        redrives: mortal(redrives, life),
        jobs: reader,
        replay: (id) => (life.isOver ? new Promise(() => {}) : bench.replay(id)),
        broker: { health: () => bench.health },
        hasQueue: (name) => name === 'default',
        sender: {
          async record(event) {
            bench.told.push(event);
            const job = jobs.get(event.id);
            if (job?.state === 'dead' && job.run === event.run) job.state = 'discarded';
          },
        },
        clock,
        log: createLog('silent'),
        driver,
      }),
    get(id) {
      const redrive = held.get(id)?.redrive;
      if (redrive === undefined) throw new Error('no such redrive');
      return redrive;
    },
  };
  return bench;
}
