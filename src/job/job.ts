/** What a job is: immutable data. Everything that happens to it makes a new value or a new message. */

export const lanes = ['high', 'normal', 'low'] as const;
/** The priority class of a job; each lane of a queue is a broker queue of its own. */
export type Lane = (typeof lanes)[number];

/** Queue names: no dots (a dot separates words of a routing key), nothing that needs escaping. */
export const queueNamePattern = '^[a-z0-9][a-z0-9_-]{0,62}$';
/** Job types: dotted words, such as `http.push`. */
export const jobTypePattern = '^[A-Za-z0-9][A-Za-z0-9._:-]{0,126}$';

export interface Job {
  /** UUID v7; its first 48 bits are the time of acceptance in ms (RFC 9562, section 5.7). */
  readonly id: string;
  readonly type: string;
  readonly queue: string;
  readonly lane: Lane;
  /** The payload as JSON text in UTF-8, untouched from acceptance to handler, so a republish copies nothing. */
  readonly body: Buffer;
  /** Counts from 1; one more per replay. */
  readonly run: number;
  /** Counts from 1 within a run. A crash, a drain or a lost connection does not raise it. */
  readonly attempt: number;
  /** When it may first be delivered, in ms since the epoch; equal to the time of acceptance unless delayed. */
  readonly dueAtMs: number;
  /** Attempts of one run, the first included; absent: the handler's, else the setting's. */
  readonly maxAttempts?: number;
  /** Time limit of one attempt; absent: the handler's, else the setting's. */
  readonly timeoutMs?: number;
  /** Not started after this moment, in ms since the epoch. */
  readonly expiresAtMs?: number;
  /** W3C Trace Context, carried from the request to the handler. */
  readonly traceparent?: string;
  readonly tracestate?: string;
}

/**
 * A value while it is made, field by field. Data of each job is made so, or in one piece: a spread copy with further fields has a
 * shape of its own in V8 once a field holds a time, is slow to make, and makes all that reads it slow (src/DECISIONS.md).
 */
export type Writable<Value> = { -readonly [Field in keyof Value]: Value[Field] };

/** The last moment that a date can say, in ms since the epoch (ECMA-262, section 21.4.1.1): a later one could be shown to nobody. */
export const lastMs = 8_640_000_000_000_000;

const uuidOfVersion7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/** RFC 9562, section 5.7, in either case. One look: the library's two would be a third of what a job takes to decode. */
export function isJobId(id: unknown): id is string {
  return typeof id === 'string' && uuidOfVersion7.test(id);
}

/** The time of acceptance, read from the id (UUID v7), in ms since the epoch. */
export function acceptedAtMs(job: Pick<Job, 'id'>): number {
  return Number.parseInt(job.id.slice(0, 8) + job.id.slice(9, 13), 16);
}

/** The 32 hex digits of a valid traceparent that name the trace. */
export function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 35);
}
