/** A dead letter as the event that it is. Pure. */
import { isUtf8 } from 'node:buffer';
import type { DeadLetter } from '../broker/stock.js';
import { decode } from '../job/codec.js';
import { SluiceError, Undecodable } from '../job/errors.js';
import type { JobEvent } from '../job/event.js';
import { greatestAttempt, greatestRun } from '../job/fold.js';
import { type Lane, lanes, queueNamePattern } from '../job/job.js';

export type Read =
  | { readonly kind: 'death'; readonly event: JobEvent }
  /** A job, but its body is no JSON: it cannot be replayed, and its bytes are for a person. */
  | { readonly kind: 'death without payload'; readonly event: JobEvent; readonly reason: string }
  | { readonly kind: 'no job'; readonly reason: string };

const queueName = new RegExp(queueNamePattern);
const longestHeaders = 2_000;

export function readLetter(letter: DeadLetter): Read {
  const { queue, lane, death } = letter;
  try {
    if (!queueName.test(queue)) throw new Undecodable('it does not say which queue it was for');
    if (!isLane(lane)) throw new Undecodable(`its lane must be one of ${lanes.join(', ')}`);
    const job = decode({ ...letter, headers: countable(letter.headers) }, queue, lane);
    const payload = jsonOf(job.body);
    const event: JobEvent = {
      kind: 'deadLettered',
      id: job.id,
      type: job.type,
      queue,
      lane,
      run: job.run,
      attempt: job.attempt,
      dueAtMs: job.dueAtMs,
      atMs: death.atMs,
      ...(death.startedAtMs !== undefined && { startedAtMs: death.startedAtMs }),
      reason: death.reason,
      failure: death.failure,
      payload: payload ?? 'null',
    };
    return payload === undefined
      ? { kind: 'death without payload', event, reason: `the payload of job ${job.id} is not JSON` }
      : { kind: 'death', event };
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    return { kind: 'no job', reason: `${error.message}; ${describe(letter)}` };
  }
}

/** A job that died of a run or an attempt beyond what rows can tell apart is told as the last one that they can: it shall be seen. */
function countable(headers: DeadLetter['headers']): DeadLetter['headers'] {
  const counted = { ...headers };
  const limits = [
    ['sluice-run', greatestRun],
    ['sluice-attempt', greatestAttempt],
  ] as const;
  for (const [name, greatest] of limits) {
    const value = counted[name];
    if (typeof value === 'number' && value > greatest) counted[name] = greatest;
  }
  return counted;
}

/** What the message said beside its body, so that a person can put it together again. */
function describe({ messageId, type, headers, queue, lane, death }: DeadLetter): string {
  const text = JSON.stringify({ messageId, type, queue, lane, reason: death.reason, headers });
  return text.length <= longestHeaders ? text : `${text.slice(0, longestHeaders)}…`;
}

function isLane(text: string): text is Lane {
  return (lanes as readonly string[]).includes(text);
}

function jsonOf(body: Buffer): string | undefined {
  if (!isUtf8(body)) return undefined;
  const text = body.toString('utf8');
  try {
    JSON.parse(text);
    return text;
  } catch {
    return undefined;
  }
}
