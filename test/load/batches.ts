/** The submitter of `npm run ledger`: jobs in batches, each item again until it is accepted, and a share under a key of its own. */
import { Pool } from 'undici';
import type { BatchAnswer } from '../../src/api/contract.js';
import { sleep, systemClock } from '../../src/runtime/clock.js';

export interface BatchSubmission {
  /** Id to n, as answered. */
  readonly accepted: Map<string, number>;
  /** Items of unknown outcome, submitted again under a new id: each may have become a job that nobody was told of. */
  unknown: number;
  /** Items that were refused for sure, and submitted again. */
  refused: number;
  /** Items under a key that were answered with two different ids: a fault. */
  readonly twice: string[];
}

export interface BatchPlan {
  readonly url: string;
  readonly jobs: number;
  readonly batch: number;
  readonly requestOf: (n: number) => object;
  /** Of the items of these batches each has a key. */
  readonly isKeyed: (batch: number) => boolean;
  /** Waited for before each batch. */
  readonly admitted: (n: number) => Promise<void>;
}

const CONNECTIONS = 3;
const AGAIN_MS = 200;

export function startBatches(plan: BatchPlan): {
  readonly submission: BatchSubmission;
  readonly done: Promise<void>;
} {
  const pool = new Pool(plan.url, { connections: CONNECTIONS });
  const submission: BatchSubmission = { accepted: new Map(), unknown: 0, refused: 0, twice: [] };
  const idOfKey = new Map<string, string>();
  let next = 0;

  async function submit(open: readonly number[], isKeyed: boolean): Promise<readonly number[]> {
    const items = open.map((n) =>
      isKeyed ? { ...plan.requestOf(n), idempotencyKey: `job-${n}` } : plan.requestOf(n),
    );
    let status: number;
    let answer: BatchAnswer;
    try {
      const response = await pool.request({
        method: 'POST',
        path: '/v1/jobs/batch',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(items),
      });
      status = response.statusCode;
      answer = (await response.body.json()) as BatchAnswer;
    } catch {
      if (!isKeyed) submission.unknown += open.length;
      return open;
    }
    if (status !== 202 && status !== 503)
      throw new Error(`${status} ${JSON.stringify(answer).slice(0, 500)}`);
    for (const [index, id] of (answer.ids ?? []).entries()) {
      const n = open[index];
      if (id === null || n === undefined) continue;
      submission.accepted.set(id, n);
      const key = `job-${n}`;
      if (isKeyed && (idOfKey.get(key) ?? id) !== id) submission.twice.push(key);
      if (isKeyed) idOfKey.set(key, id);
    }
    if (answer.errors === undefined) {
      submission.refused += open.length;
      return open;
    }
    return answer.errors.map(({ index, code, detail }) => {
      if (!/unavailable|overloaded|shutting_down/.test(code)) throw new Error(`${code}: ${detail}`);
      if (!detail.includes('outcome unknown')) submission.refused += 1;
      else if (!isKeyed) submission.unknown += 1;
      return open[index] as number;
    });
  }

  async function connection(): Promise<void> {
    for (let from = next; from < plan.jobs; from = next) {
      next += plan.batch;
      const isKeyed = plan.isKeyed(from / plan.batch);
      await plan.admitted(from);
      let open: readonly number[] = Array.from(
        { length: Math.min(plan.batch, plan.jobs - from) },
        (_, i) => from + i,
      );
      for (;;) {
        open = await submit(open, isKeyed);
        if (open.length === 0) break;
        await sleep(systemClock, AGAIN_MS);
      }
    }
  }

  const all = Array.from({ length: CONNECTIONS }, connection);
  return { submission, done: Promise.all(all).then(() => pool.close()) };
}
