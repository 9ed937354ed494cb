/** The workbench of dead letters: what has died and of what, and replays and discards of many, which a recorder carries out. */
import { v7 } from 'uuid';
import type { JobRow } from '../job/fold.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Redrive, Redrives } from '../store/redrives.js';
import type { DeadFilter, DeadGroup, JobFilter, JobReader } from '../store/store.js';

export interface DeadLettersOptions {
  readonly jobs: Pick<JobReader, 'list' | 'deadGroups' | 'countDead'>;
  readonly redrives: Redrives;
  readonly clock: Clock;
  readonly log: Log;
}

export interface DeadLetterPage {
  readonly total: number;
  /** The largest. */
  readonly groups: readonly DeadGroup[];
  /** Newest jobs first. */
  readonly items: readonly JobRow[];
  readonly next: string | undefined;
}

/** A redrive, and how many of the runs that it began have died. */
export type Watched = Redrive & { readonly failedAgain: number };

/** Every method: @throws StoreUnavailable */
export interface DeadLetters {
  /** @throws Invalid  a cursor that is none */
  list(
    filter: Omit<JobFilter, 'state'>,
    page: { readonly limit: number; readonly cursor?: string },
  ): Promise<DeadLetterPage>;
  /** Counts what is dead now and matches; without `dryRun` a recorder begins within a second or so. `ratePerSecond` is of replays. */
  start(order: {
    readonly kind: Redrive['kind'];
    readonly filter: DeadFilter;
    readonly ratePerSecond?: number;
    readonly dryRun?: boolean;
    /** Of the request, for its replays to link to. */
    readonly traceparent?: string | undefined;
  }): Promise<{ readonly id: string | null; readonly matched: number }>;
  view(id: string): Promise<Watched | undefined>;
  /** Newest first. */
  views(limit: number): Promise<readonly Watched[]>;
  /** Ends it after its present step; what it has begun goes on. Undefined when there is no such one; it may have ended before. */
  stop(id: string): Promise<Watched | undefined>;
}

const MOST_GROUPS = 100;

export function createDeadLetters({ jobs, redrives, clock, log }: DeadLettersOptions): DeadLetters {
  async function watched(redrive: Redrive): Promise<Watched> {
    const failedAgain = redrive.kind === 'replay' ? (await redrives.outcome(redrive.id)).died : 0;
    return { ...redrive, failedAgain };
  }

  async function view(id: string): Promise<Watched | undefined> {
    const redrive = await redrives.get(id);
    return redrive && watched(redrive);
  }

  return {
    async list(filter, page) {
      const [total, groups, { rows, next }] = await Promise.all([
        jobs.countDead(filter),
        jobs.deadGroups(filter, MOST_GROUPS),
        jobs.list({ ...filter, state: 'dead' }, { ...page, nowMs: clock.now() }),
      ]);
      return { total, groups, items: rows, next };
    },

    async start({ kind, filter, ratePerSecond, dryRun, traceparent }) {
      const nowMs = clock.now();
      // What dies from now on is not meant: a job that dies again must not be driven again.
      const endMs = Math.min(filter.diedBeforeMs ?? Number.POSITIVE_INFINITY, nowMs + 1);
      const bounded = { ...filter, diedBeforeMs: endMs };
      const matched = await jobs.countDead(bounded);
      if (dryRun) return { id: null, matched };
      const id = v7({ msecs: nowMs });
      await redrives.create({
        id,
        kind,
        state: 'running',
        reason: null,
        filter: bounded,
        ratePerSecond: ratePerSecond ?? null,
        matched,
        done: 0,
        skipped: 0,
        cursor: null,
        createdAtMs: nowMs,
        updatedAtMs: nowMs,
        endedAtMs: null,
        ...(traceparent !== undefined && { traceparent }),
      });
      log.info(
        { redrive: id, kind, matched, filter },
        'an operator has ordered a replay or discard of dead jobs',
      );
      return { id, matched };
    },

    view,

    async views(limit) {
      return Promise.all((await redrives.list(limit)).map(watched));
    },

    async stop(id) {
      if (await redrives.end(id, 'stopped', 'an operator has stopped it', clock.now()))
        log.info({ redrive: id }, 'an operator has stopped a replay or discard of dead jobs');
      return view(id);
    },
  };
}
