/** What somebody who was woken wants to know first, from the figures that the server gives. Pure. */
import type { AuditReport } from '../api/audit.js';
import type { DeadLetterGroup } from '../api/dead-letters.js';
import type { QueueView } from '../api/queues.js';
import { count, counted, duration, moment, rate, sentence, short } from './format.js';

/** `good`: all is well. `open`: not known yet. `watch`: look again soon. `bad`: do something. */
export type Tone = 'good' | 'open' | 'watch' | 'bad';

export interface Answer {
  readonly tone: Tone;
  /** A few words. */
  readonly says: string;
  /** A sentence. */
  readonly because: string;
}

/** Is anything lost? */
export function lossOf(audit: AuditReport): Answer {
  const jobs = Object.values(audit.states).reduce((sum, { rows, deleted }) => sum + rows + deleted, 0);
  const fault = audit.findings.find(({ severity }) => severity === 'fault');
  if (audit.unaccounted > 0)
    return {
      tone: 'bad',
      says: counted(audit.unaccounted, 'job'),
      because: fault?.detail ?? 'See the audit.',
    };
  if (fault !== undefined) return { tone: 'bad', says: 'A fault', because: fault.detail };
  if (audit.verdict === 'open')
    return { tone: 'open', says: 'Not that we know', because: sentence(audit.proof.detail) };
  return { tone: 'good', says: 'Nothing', because: `All ${counted(jobs, 'job')} accounted for.` };
}

/** Jobs of a queue that wait for a worker or are with one. */
export function backlogOf(queue: QueueView): number {
  return queue.depth.total + queue.active;
}

/** How bad each forecast is for those who wait. */
const gravity = { empty: 0, draining: 1, idle: 2, growing: 3, paused: 4 } as const;

/** The queue that will be empty last. */
function worstOf(queues: readonly QueueView[]): QueueView | undefined {
  return queues
    .filter(({ forecast }) => forecast.state !== 'empty')
    .toSorted(
      (one, other) =>
        gravity[other.forecast.state] - gravity[one.forecast.state] ||
        (other.forecast.emptyInMs ?? 0) - (one.forecast.emptyInMs ?? 0) ||
        backlogOf(other) - backlogOf(one),
    )[0];
}

/** When is the backlog gone? */
export function forecastOf(queues: readonly QueueView[]): Answer {
  const backlog = queues.reduce((sum, queue) => sum + backlogOf(queue), 0);
  const later = queues.reduce((sum, { scheduled }) => sum + scheduled, 0);
  const worst = worstOf(queues.filter(({ depth }) => depth.total > 0));
  if (worst === undefined)
    return {
      tone: 'good',
      says: 'There is none',
      because: `Nothing waits${backlog > 0 ? `; ${count(backlog)} running` : ''}${later > 0 ? `; ${count(later)} for later` : ''}.`,
    };
  const waiting = `${counted(backlog, 'job')} wait or run`;
  const { state, emptyInMs, emptyAt } = worst.forecast;
  switch (state) {
    case 'paused':
      return { tone: 'watch', says: 'Not while paused', because: `${waiting}; ${worst.name} is paused.` };
    case 'growing':
      return { tone: 'watch', says: 'Not at this pace', because: `${waiting}; ${worst.name} grows.` };
    case 'idle':
      return { tone: 'open', says: 'No telling yet', because: `${waiting}; none ended in the last minute.` };
    default:
      return {
        tone: 'good',
        says: emptyInMs === null ? 'No telling yet' : `In ${duration(emptyInMs)}`,
        because: `${waiting}${emptyAt === null ? '' : `; gone at ${moment(emptyAt)}`}.`,
      };
  }
}

/** What limits us? */
export function limitOf(queues: readonly QueueView[]): Answer {
  const waiting = queues.filter((queue) => backlogOf(queue) > 0);
  const paused = waiting.find(({ isPaused }) => isPaused);
  if (paused !== undefined)
    return {
      tone: 'watch',
      says: `${paused.name} is paused`,
      because: `${counted(paused.depth.total, 'job')} wait until somebody resumes it.`,
    };
  const deserted = waiting.find(({ consumers, depth }) => consumers === 0 && depth.total > 0);
  if (deserted !== undefined)
    return {
      tone: 'bad',
      says: `No worker for ${deserted.name}`,
      because: `${counted(deserted.depth.total, 'job')} wait and nobody takes them: start sluice work.`,
    };
  const worst = worstOf(waiting);
  if (worst === undefined || worst.depth.total === 0)
    return { tone: 'good', says: 'Nothing', because: 'Every job is taken as it comes.' };
  const { name, active, acceptedPerSecond, drainedPerSecond, forecast } = worst;
  const flow = `${name}: ${rate(acceptedPerSecond)}/s in, ${rate(drainedPerSecond)}/s out, ${count(active)} running`;
  if (forecast.state === 'growing')
    return {
      tone: 'watch',
      says: 'Too few workers',
      because: `${flow}. Raise its concurrency, or add workers.`,
    };
  if (forecast.state === 'idle')
    return { tone: 'watch', says: 'Long jobs', because: `${flow}; none ended in the last minute.` };
  return { tone: 'good', says: 'The pace of the workers', because: `${flow}.` };
}

/** A failure that is older than this is known to those who watch. */
const FRESH_MS = 15 * 60_000;

/** What failed, and why? */
export function failureOf(
  dead: { readonly total: number; readonly groups: readonly DeadLetterGroup[] },
  nowMs: number,
): Answer {
  const [first, ...others] = dead.groups;
  if (first === undefined) return { tone: 'good', says: 'Nothing', because: 'There are no dead letters.' };
  const isFresh = dead.groups.some(({ lastAt }) => Date.parse(lastAt) > nowMs - FRESH_MS);
  const more = others.length === 0 ? '' : `, and ${counted(others.length, 'other error')}`;
  return {
    tone: isFresh ? 'bad' : 'watch',
    says: counted(dead.total, 'dead job'),
    because: `${count(first.count)} of ${first.example.type}: ${short(first.example.message, 120)}${more}`,
  };
}
