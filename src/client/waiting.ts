/** Waiting for the end of a job: one long question after the other. */
import type { JobAnswer } from '../api/contract.js';
import type { State } from '../job/state.js';
import type { Answer } from './answers.js';
import { SluiceWaitTimeout } from './errors.js';
import type { CallOptions, Requests } from './requests.js';
import { within } from './time.js';

export interface WaitOptions extends CallOptions {
  /** How long to wait for the end, in ms; for ever when it is left out. */
  readonly timeoutMs?: number | undefined;
}

/** What one request may wait; a longer wait is made of several. */
const WAIT_S = 30;
/** A server that is stopping answers at once: it is not asked again at once. */
const EARLY_MS = 200;

/** As `hasEnded` of `job/state` has it, which nothing here may load. */
export const ended: Readonly<Record<State, boolean>> = {
  scheduled: false,
  queued: false,
  active: false,
  retrying: false,
  succeeded: true,
  dead: true,
  cancelled: true,
  discarded: true,
};

/**
 * The answer of `GET /v1/jobs/:id` once the job has ended.
 * @param run  or a later one: just after a replay the end of the run before it may still be shown
 * @throws SluiceWaitTimeout
 */
export function untilEnded(
  requests: Requests,
  path: string,
  run: number,
  { timeoutMs = Number.POSITIVE_INFINITY, signal, retry }: WaitOptions = {},
): Promise<Answer> {
  let seen: JobAnswer | undefined;
  const late = (): Error => new SluiceWaitTimeout(timeoutMs, seen);
  const { now, pause } = requests.surroundings;
  const untilMs = now() + timeoutMs;
  return within(timeoutMs, late, signal, async (either) => {
    for (;;) {
      const askedAtMs = now();
      const seconds = Math.max(1, Math.min(WAIT_S, Math.floor((untilMs - askedAtMs) / 1000)));
      const answer = await requests.send({
        method: 'GET',
        path,
        query: { wait: seconds },
        repeat: 'always',
        // One server has accepted it, and the one that is asked does not know it yet.
        alsoWaitFor: 404,
        timeoutMs: seconds * 1000 + requests.requestTimeoutMs,
        signal: either,
        retry,
      });
      seen = answer.body as JobAnswer;
      if (ended[seen.state] && seen.run >= run) return answer;
      if (now() - askedAtMs < EARLY_MS) await pause(EARLY_MS, either);
    }
  });
}
