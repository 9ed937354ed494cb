/** A small store in memory for tests of what stands above it: rows are put in by hand, and it can be away. */
import { StoreUnavailable } from '../../src/job/errors.js';
import type { AttemptRow, JobRow } from '../../src/job/fold.js';
import { nextState } from '../../src/job/state.js';
import type { IdempotencyKeys, IdempotencyReservation, JobReader, Registers } from '../../src/store/store.js';

type Held = IdempotencyReservation & { isDone: boolean };

export interface MemoryStore {
  readonly jobs: Pick<JobReader, 'get' | 'list' | 'states'>;
  readonly registers: Pick<Registers, 'cancel' | 'cancelRequestedAt' | 'claimReplay'>;
  readonly idempotency: IdempotencyKeys;
  /** Every method is refused with StoreUnavailable. */
  isAway: boolean;
  readonly rows: Map<string, JobRow>;
  readonly attempts: AttemptRow[];
  readonly payloads: Map<string, string>;
  /** By owner and key with a space between. */
  readonly keys: Map<string, Held>;
  /** How many calls there were, by method. */
  readonly calls: Record<string, number>;
}

export function createMemoryStore(): MemoryStore {
  const rows = new Map<string, JobRow>();
  const attempts: AttemptRow[] = [];
  const payloads = new Map<string, string>();
  const cancels = new Map<string, number>();
  const claims = new Map<string, number>();
  const keys = new Map<string, Held>();
  const calls: Record<string, number> = {};

  async function at<Value>(method: string, work: () => Value): Promise<Value> {
    calls[method] = (calls[method] ?? 0) + 1;
    await Promise.resolve();
    if (store.isAway) throw new StoreUnavailable('the test has taken it away');
    return work();
  }

  const store: MemoryStore = {
    isAway: false,
    rows,
    attempts,
    payloads,
    keys,
    calls,
    jobs: {
      get: (id) =>
        at('get', () => {
          const row = rows.get(id);
          return row && { row, attempts: attempts.filter((one) => one.id === id), payload: payloads.get(id) };
        }),
      list: (filter, { limit, cursor }) =>
        at('list', () => {
          const all = [...rows.values()]
            .filter(({ type, queue, state }) => {
              const { type: t = type, queue: q = queue, state: s = state } = filter;
              return t === type && q === queue && s === state;
            })
            .sort((a, b) => (a.id < b.id ? 1 : -1))
            .filter(({ id }) => cursor === undefined || id < cursor);
          const page = all.slice(0, limit);
          return { rows: page, next: all.length > limit ? page.at(-1)?.id : undefined };
        }),
      states: (ids) =>
        at('states', () =>
          ids.flatMap((id) => {
            const row = rows.get(id);
            return row === undefined ? [] : [{ id, run: row.run, state: row.state }];
          }),
        ),
    },
    registers: {
      cancel: (id, run, atMs) =>
        at('cancel', () => {
          const place = `${id} ${run}`;
          if (!cancels.has(place)) cancels.set(place, atMs);
        }),
      cancelRequestedAt: (id, run) => at('cancelRequestedAt', () => cancels.get(`${id} ${run}`)),
      claimReplay: (id, run, nowMs, untilMs) =>
        at('claimReplay', () => {
          const row = rows.get(id);
          const place = `${id} ${run}`;
          const isFree = (claims.get(place) ?? 0) <= nowMs;
          if (row?.run !== run || nextState(row.state, 'replayed') === undefined || !isFree) return undefined;
          claims.set(place, untilMs);
          return { row, payload: payloads.get(id) };
        }),
    },
    idempotency: {
      reserve: (wanted, nowMs) =>
        at('reserve', () => {
          const place = `${wanted.owner} ${wanted.key}`;
          const by = keys.get(place);
          if (by !== undefined && by.expiresAtMs > nowMs) return { kind: 'held' as const, by: { ...by } };
          keys.set(place, { ...wanted, isDone: false });
          return { kind: 'taken' as const };
        }),
      takeOver: (owner, key, formerLeaseUntilMs, leaseUntilMs) =>
        at('takeOver', () => {
          const by = keys.get(`${owner} ${key}`);
          if (by?.leaseUntilMs !== formerLeaseUntilMs || by.isDone) return false;
          keys.set(`${owner} ${key}`, { ...by, leaseUntilMs });
          return true;
        }),
      done: (owner, key) =>
        at('done', () => {
          const by = keys.get(`${owner} ${key}`);
          if (by !== undefined) by.isDone = true;
        }),
      release: (owner, key, jobId) =>
        at('release', () => {
          if (keys.get(`${owner} ${key}`)?.jobId === jobId) keys.delete(`${owner} ${key}`);
        }),
      sweep: () => at('sweep', () => 0),
    },
  };
  return store;
}
