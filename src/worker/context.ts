/** What a handler is given beside its signal: the job as a snapshot, a log of its own, and a way to say how far it is. */
import type { EventSender } from '../events/sender.js';
import type { HandlerContext, HandlerJob, HandlerLog } from '../handler/define.js';
import { isoTime } from '../job/iso-time.js';
import { acceptedAtMs, isJobId, type Job, lastMs } from '../job/job.js';
import { logFieldsOf } from '../job/log-fields.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Course } from './deadline.js';
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
  const atMs = isJobId(job.id) ? acceptedAtMs(job) : job.dueAtMs;
  return isoTime(Math.abs(atMs) <= lastMs ? atMs : 0);
}

export interface ContextOptions {
  readonly events: Pick<EventSender, 'tell'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** @param course  once it is over, what the handler still says of its progress is said too late */
export function contextOf(
  job: Job,
  course: Pick<Course, 'signal' | 'isOver'>,
  options: ContextOptions,
): HandlerContext {
  return Object.freeze(new Context(job, course, options));
}

/** Most handlers neither log nor tell how far they are: what is needed for that is made when it is first asked for. */
class Context implements HandlerContext {
  readonly #job: Job;
  readonly #course: Pick<Course, 'signal' | 'isOver'>;
  readonly #options: ContextOptions;
  #log: HandlerLog | undefined;
  #step = 0;
  #isWarned = false;

  constructor(job: Job, course: Pick<Course, 'signal' | 'isOver'>, options: ContextOptions) {
    this.#job = job;
    this.#course = course;
    this.#options = options;
  }

  get signal(): AbortSignal {
    return this.#course.signal;
  }

  get log(): HandlerLog {
    this.#log ??= handlerLog(this.#job, this.#options.log);
    return this.#log;
  }

  /** Bound, so that a handler may take it out of the context. */
  get progress(): HandlerContext['progress'] {
    return (percent, note) => this.#tell(percent, note);
  }

  #tell(percent: number, note?: string): void {
    if (this.#course.isOver) return;
    if (typeof percent !== 'number' || Number.isNaN(percent)) {
      this.#warnOf(percent);
      return;
    }
    this.#step += 1;
    const { events, clock, log } = this.#options;
    log.debug({ job: this.#job.id, percent, note }, 'progress');
    const within = Math.min(100, Math.max(0, percent));
    const progress = { step: this.#step, percent: within, note: shortNote(note) };
    events.tell(progressed(this.#job, progress, clock.now()));
  }

  /** Progress is advice to people: a bad number is told, and costs the job nothing. */
  #warnOf(percent: unknown): void {
    if (this.#isWarned) return;
    this.#isWarned = true;
    this.log.warn(
      `progress takes a number from 0 to 100, not ${typeof percent === 'number' ? percent : `a ${typeof percent}`}; it was not told`,
    );
  }
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
