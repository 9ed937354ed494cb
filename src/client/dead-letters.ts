/** Dead letters: what has died and of what, and replays and discards of many, which run on the server. */
import type { JobSummary } from '../api/contract.js';
import type {
  DeadLetterFilter,
  DeadLetterGroup,
  DeadLetterPage,
  RedriveAccepted,
  RedriveList,
  RedriveView,
} from '../api/dead-letters.js';
import { MOST_PER_PAGE, type PageOptions, pagesOf } from './pages.js';
import type { CallOptions, Requests } from './requests.js';

/** Narrows a look; each field that is there must fit. */
export interface DeadLetterSearch {
  /** Error fingerprint. */
  readonly group?: string | undefined;
  readonly type?: string | undefined;
  readonly queue?: string | undefined;
}

export interface RedriveOptions extends CallOptions {
  /** Only count what matches. */
  readonly dryRun?: boolean | undefined;
}

export interface ReplayManyOptions extends RedriveOptions {
  /** Jobs per second; default 10. */
  readonly ratePerSecond?: number | undefined;
}

export interface WatchOptions extends CallOptions {
  /** Between an answer and the next question; default 500. */
  readonly everyMs?: number | undefined;
}

/** A replay or discard by its id, or what gave it. */
export type RedriveRef = string | { readonly id: string };

/** It runs on the server: `watch` shows how it goes, `stop` ends it. */
export interface RedriveStarted extends RedriveAccepted {
  readonly id: string;
}

export interface DeadLetters {
  /** The errors that jobs have died of, the most frequent first, at most 100; `total` counts the jobs. */
  groups(
    search?: DeadLetterSearch,
    options?: CallOptions,
  ): Promise<{ readonly total: number; readonly groups: readonly DeadLetterGroup[] }>;
  /** The dead jobs themselves, the newest first, page by page. */
  list(search?: DeadLetterSearch, options?: CallOptions): AsyncGenerator<JobSummary, void, undefined>;
  page(search?: DeadLetterSearch, options?: PageOptions): Promise<DeadLetterPage>;
  /**
   * Runs all that match again, at a pace; halts by itself when failures come back. `{}` means all that is dead. Sent again only
   * when it was refused, for a second one would double the pace.
   */
  replay(
    filter: DeadLetterFilter,
    options: ReplayManyOptions & { readonly dryRun: true },
  ): Promise<RedriveAccepted>;
  replay(
    filter: DeadLetterFilter,
    options?: ReplayManyOptions & { readonly dryRun?: false },
  ): Promise<RedriveStarted>;
  replay(filter: DeadLetterFilter, options?: ReplayManyOptions): Promise<RedriveAccepted>;
  /** Gives up all that match: they count as ended, and cannot be replayed. */
  discard(
    filter: DeadLetterFilter,
    options: RedriveOptions & { readonly dryRun: true },
  ): Promise<RedriveAccepted>;
  discard(
    filter: DeadLetterFilter,
    options?: RedriveOptions & { readonly dryRun?: false },
  ): Promise<RedriveStarted>;
  discard(filter: DeadLetterFilter, options?: RedriveOptions): Promise<RedriveAccepted>;
  /** Replays and discards, the newest first. */
  redrives(options?: CallOptions): Promise<readonly RedriveView[]>;
  redrive(redrive: RedriveRef, options?: CallOptions): Promise<RedriveView>;
  /** Looks again and again until it has ended; the last view says how. Who stops watching does not stop it. */
  watch(redrive: RedriveRef, options?: WatchOptions): AsyncGenerator<RedriveView, void, undefined>;
  /** What it has begun goes on. */
  stop(redrive: RedriveRef, options?: CallOptions): Promise<RedriveView>;
}

const path = '/v1/dead-letters';
const WATCH_EVERY_MS = 500;

export function createDeadLetters({ ask, surroundings }: Requests): DeadLetters {
  function page(search: DeadLetterSearch = {}, { limit, cursor, ...options }: PageOptions = {}) {
    const { group, type, queue } = search;
    const query = { group, type, queue, limit, cursor };
    return ask<DeadLetterPage>({ ...options, method: 'GET', path, query, repeat: 'always' });
  }

  async function start(
    kind: RedriveView['kind'],
    filter: DeadLetterFilter,
    { dryRun, ratePerSecond, ...options }: ReplayManyOptions = {},
  ): Promise<RedriveStarted> {
    const content = JSON.stringify({ filter, ratePerSecond, dryRun });
    const body = { type: 'application/json', content } as const;
    return ask({ ...options, method: 'POST', path: `${path}/${kind}`, body, repeat: 'if-refused' });
  }

  const redrive = (ref: RedriveRef, options?: CallOptions) =>
    ask<RedriveView>({ ...options, method: 'GET', path: pathOfRedrive(ref), repeat: 'always' });

  return {
    page,
    redrive,
    async groups(search, options) {
      const { total, groups } = await page(search, { ...options, limit: 1 });
      return { total, groups };
    },
    list: (search, options) =>
      pagesOf(async (cursor) => {
        const { items, next } = await page(search, { ...options, limit: MOST_PER_PAGE, cursor });
        return { rows: items, next };
      }),
    replay: (filter: DeadLetterFilter, options?: ReplayManyOptions) => start('replay', filter, options),
    discard: (filter: DeadLetterFilter, options?: RedriveOptions) => start('discard', filter, options),
    redrives: async (options) =>
      (await ask<RedriveList>({ ...options, method: 'GET', path: `${path}/replays`, repeat: 'always' }))
        .replays,
    async *watch(ref, { everyMs = WATCH_EVERY_MS, ...options } = {}) {
      for (;;) {
        const view = await redrive(ref, options);
        yield view;
        if (view.state !== 'running') return;
        await surroundings.pause(everyMs, options.signal);
      }
    },
    stop: (ref, options) =>
      ask<RedriveView>({
        ...options,
        method: 'POST',
        path: `${pathOfRedrive(ref)}/stop`,
        repeat: 'always',
      }),
  };
}

function pathOfRedrive(ref: RedriveRef): string {
  return `${path}/replays/${encodeURIComponent(typeof ref === 'string' ? ref : ref.id)}`;
}
