/** What a handler is given beside its signal: the job as a snapshot, a log of its own, and a way to say how far it is. */
import type { EventSender } from '../events/sender.js';
import type { HandlerContext, HandlerJob, HandlerLog } from '../handler/define.js';
import { acceptedAtMs, type Job } from '../job/job.js';
import { logFieldsOf } from '../job/log-fields.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import { progressed } from './job-events.js';

/** Characters kept of the note of a progress: it goes into every row that people list. */
const LONGEST_NOTE = 300;

export function snapshotOf(job: Job, payload: unknown): HandlerJob {
  return Object.freeze({
    id: job.id,
    type: job.type,
    queue: job.queue,
    payload,
    attempt: job.attempt,
    run: job.run,
    acceptedAt: acceptedAtOf(job),
  });
}

/** ISO 8601. The id of a job that another program published need not be a UUID v7, and then holds no time of acceptance. */
function acceptedAtOf(job: Job): string {
  const time = new Date(uuidV7.test(job.id) ? acceptedAtMs(job) : job.dueAtMs);
  return Number.isNaN(time.getTime()) ? new Date(0).toISOString() : time.toISOString();
}

const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7/i;

export interface ContextOptions {
  readonly signal: () => AbortSignal;
  /** The attempt counts as over: what the handler still says of it is said too late. */
  readonly isOver: () => boolean;
  readonly events: Pick<EventSender, 'tell'>;
  readonly clock: Clock;
  readonly log: Log;
}

export function contextOf(job: Job, { signal, isOver, events, clock, log }: ContextOptions): HandlerContext {
  const ownLog = handlerLog(job, log);
  let step = 0;
  let isWarned = false;

  /** Progress is advice to people: a bad number is told, and costs the job nothing. */
  function warnOf(percent: unknown): void {
    if (isWarned) return;
    isWarned = true;
    ownLog.warn(
      `progress takes a number from 0 to 100, not ${typeof percent === 'number' ? percent : `a ${typeof percent}`}; it was not told`,
    );
  }

  return Object.freeze({
    get signal() {
      return signal();
    },
    log: ownLog,
    progress(percent: number, note?: string) {
      if (isOver()) return;
      if (typeof percent !== 'number' || Number.isNaN(percent)) {
        warnOf(percent);
        return;
      }
      step += 1;
      log.debug({ job: job.id, percent, note }, 'progress');
      const within = Math.min(100, Math.max(0, percent));
      events.tell(progressed(job, { step, percent: within, note: shortNote(note) }, clock.now()));
    },
  });
}

function shortNote(note: unknown): string | undefined {
  if (typeof note !== 'string') return undefined;
  if (note.length <= LONGEST_NOTE) return note;
  const half = /[\uD800-\uDBFF]$/; // of a character that needs two units
  return `${note.slice(0, LONGEST_NOTE - 1).replace(half, '')}…`;
}

/** Most handlers never log, so the child logger is made at the first line. */
function handlerLog(job: Job, log: Log): HandlerLog {
  let child: Log | undefined;
  const own = (): Log => {
    child ??= log.child({ ...logFieldsOf(job) });
    return child;
  };
  return {
    debug: (message, fields = {}) => own().debug(fields, message),
    info: (message, fields = {}) => own().info(fields, message),
    warn: (message, fields = {}) => own().warn(fields, message),
    error: (message, fields = {}) => own().error(fields, message),
  };
}
