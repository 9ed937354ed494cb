/** The crowd of the burst: submits until the wanted number is accepted, over a fixed number of keep-alive connections. */
import { Pool } from 'undici';
import { sleep, systemClock } from '../../src/runtime/clock.js';
import type { Answered } from './ledger.js';

export interface Submission {
  readonly accepted: Map<string, Answered>;
  /** Ids that a 503 named as "outcome unknown". */
  readonly unknown: Set<string>;
  /** Definite refusals: 503, nothing was accepted. */
  refused: number;
  /** Requests without an answer, and unknown outcomes. The job may exist; it was submitted anew, under a new id. */
  unknownOutcomes: number;
  requests: number;
}

export interface Crowd {
  readonly submission: Submission;
  /** Resolves when all are accepted. @throws Error  at an answer that is neither 202 nor 503 */
  readonly done: Promise<void>;
}

const CONNECTIONS = 64;
/** Short, so that the burst stays one: a polite client would wait as long as `Retry-After` says. */
const AGAIN_MS = 100;

/** @param bodyOf  the request body of the n-th job */
export function startCrowd(url: string, count: number, bodyOf: (n: number) => string): Crowd {
  const pool = new Pool(url, { connections: CONNECTIONS });
  const submission: Submission = {
    accepted: new Map(),
    unknown: new Set(),
    refused: 0,
    unknownOutcomes: 0,
    requests: 0,
  };
  let next = 0;

  const submit = async (body: string): Promise<boolean> => {
    const sentAtMs = Date.now();
    submission.requests += 1;
    let status: number;
    let answer: { readonly id?: string; readonly detail?: string };
    try {
      const headers = { 'content-type': 'application/json' };
      const response = await pool.request({ method: 'POST', path: '/v1/jobs', body, headers });
      status = response.statusCode;
      answer = (await response.body.json()) as typeof answer;
    } catch {
      submission.unknownOutcomes += 1;
      return false;
    }
    if (status === 202 && answer.id !== undefined) {
      submission.accepted.set(answer.id, { sentAtMs, answeredAtMs: Date.now() });
      return true;
    }
    if (status !== 503) throw new Error(`${status} ${JSON.stringify(answer)}`);
    if (answer.id === undefined) {
      submission.refused += 1;
    } else {
      submission.unknownOutcomes += 1;
      submission.unknown.add(answer.id);
    }
    return false;
  };
  const connection = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) {
      const body = bodyOf(n);
      while (!(await submit(body))) await sleep(systemClock, AGAIN_MS);
    }
  };
  const all = Array.from({ length: CONNECTIONS }, connection);
  return { submission, done: Promise.all(all).then(() => pool.close()) };
}
