/** The operator of `npm run ledger`: cancels, runs again and lists, and keeps what was answered. */
import type { JobPage } from '../../src/api/contract.js';
import type { State } from '../../src/job/state.js';
import { sleep, systemClock } from '../../src/runtime/clock.js';

const AGAIN_MS = 250;
/** An order answered so long before its job is due has reached every worker that lives. */
const EARLY_MS = 3_000;

export interface Operator {
  /** Ids whose order to cancel was answered with 202 well before they were due, and when it was. */
  readonly cancelled: Map<string, number>;
  /** Ids of which an order came late, or has no certain answer. */
  readonly uncertain: Set<string>;
  /** Ids whose replay was answered with 202. */
  readonly replayed: Set<string>;
  /** Cancels each of these once, and those that come until `done`. */
  cancelAll(idsNow: () => readonly string[], done: Promise<void>): Promise<void>;
  /** Runs dead jobs again, the newest first. */
  replaySome(count: number): Promise<void>;
  /** All jobs, page by page. @throws Error  a job is listed twice */
  list(): Promise<ReadonlyMap<string, State>>;
}

export function createOperator(url: string): Operator {
  const cancelled = new Map<string, number>();
  const uncertain = new Set<string>();
  const replayed = new Set<string>();

  /** Asks again until it is a yes or a no. @returns the status and what was answered */
  async function insist(
    method: 'GET' | 'POST',
    path: string,
    unsure: () => void = () => {},
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    for (;;) {
      const answer = await fetch(`${url}${path}`, { method }).then(
        async (response) => ({ status: response.status, body: (await response.json()) as unknown }),
        () => undefined,
      );
      if (answer !== undefined && answer.status !== 503) return answer;
      unsure();
      await sleep(systemClock, AGAIN_MS);
    }
  }

  async function cancel(id: string): Promise<void> {
    const { status, body } = await insist('POST', `/v1/jobs/${id}/cancel`);
    const orderedAtMs = Date.now();
    if (status === 409) uncertain.add(id);
    else if (status !== 202) throw new Error(`cancel ${id}: ${status} ${JSON.stringify(body)}`);
    else {
      const job = (await insist('GET', `/v1/jobs/${id}`)).body as { readonly dueAt: string };
      if (orderedAtMs + EARLY_MS < Date.parse(job.dueAt)) cancelled.set(id, orderedAtMs);
      else uncertain.add(id);
    }
  }

  return {
    cancelled,
    uncertain,
    replayed,
    async cancelAll(idsNow, done) {
      const asked = new Set<string>();
      let isDone = false;
      done.then(
        () => {
          isDone = true;
        },
        () => {
          isDone = true;
        },
      );
      for (;;) {
        const wasDone = isDone;
        const fresh = idsNow().filter((id) => !asked.has(id));
        for (let i = 0; i < fresh.length; i += 8) {
          const some = fresh.slice(i, i + 8);
          for (const id of some) asked.add(id);
          await Promise.all(some.map(cancel));
        }
        if (wasDone && fresh.length === 0) return;
        if (fresh.length === 0) await sleep(systemClock, AGAIN_MS);
      }
    },
    async replaySome(count) {
      while (replayed.size < count) {
        const { body } = await insist('GET', `/v1/jobs?state=dead&limit=${Math.min(200, count)}`);
        const { jobs } = body as JobPage;
        for (const { id } of jobs) {
          if (replayed.size >= count) return;
          const { status } = await insist('POST', `/v1/jobs/${id}/replay`, () => uncertain.add(id));
          if (status === 202) replayed.add(id);
        }
        await sleep(systemClock, AGAIN_MS);
      }
    },
    async list() {
      const listed = new Map<string, State>();
      let cursor: string | null = null;
      do {
        const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
        const { status, body } = await insist('GET', `/v1/jobs?limit=200${query}`);
        if (status !== 200) throw new Error(`list: ${status} ${JSON.stringify(body)}`);
        const page = body as JobPage;
        for (const { id, state } of page.jobs) {
          if (listed.has(id)) throw new Error(`${id} is listed twice`);
          listed.set(id, state);
        }
        cursor = page.next;
      } while (cursor !== null);
      return listed;
    },
  };
}
