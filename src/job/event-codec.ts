/**
 * A batch of events as bytes (format 1): JSON with one array per event, and with what events share written once. Times are
 * relative to the batch's own. Fields may be added at the ends of arrays: a reader leaves alone what it does not know.
 *
 *     {"v":1,"source":"…","seq":7,"role":"work","host":"a 12","at":1700000000000,"held":3,"last":false,
 *      "names":[["echo","default","normal"]],
 *      "events":[[3,"<id>",0,1,1,-40,-2,-30,"{\"ok\":true}"]]}
 *
 * An event: kind, id, index in `names`, run, attempt, due, time; then what its kind adds, nulls at the end left out.
 */
import { isUtf8 } from 'node:buffer';
import { validate as isUuid } from 'uuid';
import { Undecodable } from './errors.js';
import { type AboutJob, type EventBatch, type EventKind, type JobEvent, sourceRoles } from './event.js';
import { greatestAttempt, greatestRun } from './fold.js';
import { isJobId, jobTypePattern, type Lane, lanes, lastMs, queueNamePattern, type Writable } from './job.js';
import { deathReasons, type Failure } from './outcome.js';

const FORMAT_VERSION = 1;
/** Of what stands before the time of a batch: a host's name has 255 bytes at most. */
const LONGEST_HEAD = 512;

/** The number on the wire is the place in this list: append only. */
const kinds = [
  'accepted',
  'started',
  'progressed',
  'succeeded',
  'retried',
  'cancelled',
  'deadLettered',
  'replayed',
  'discarded',
] as const satisfies readonly EventKind[];
const codes = Object.fromEntries(kinds.map((kind, code) => [kind, code])) as Record<EventKind, number>;

type Fields = unknown[];
export function encodeBatch(batch: EventBatch): Buffer {
  const { source, seq, role, host, atMs: at, held, isLast: last } = batch;
  const names: (readonly [type: string, queue: string, lane: Lane])[] = [];
  const placeOf = collectNames(names);
  const events = batch.events.map((event) => fieldsOf(event, placeOf(event), at));
  return Buffer.from(
    JSON.stringify({ v: FORMAT_VERSION, source, seq, role, host, at, held, last, names, events }),
  );
}

/** Puts each name there once, and says where. */
function collectNames(
  names: (readonly [type: string, queue: string, lane: Lane])[],
): (of: JobEvent) => number {
  const places = new Map<string, number>();
  let last: JobEvent | undefined;
  let lastPlace = 0;
  return (event) => {
    const { type, queue, lane } = event;
    // Mostly it is that of the event before.
    if (last?.type === type && last.queue === queue && last.lane === lane) return lastPlace;
    const name = `${type} ${queue} ${lane}`;
    const place = places.get(name) ?? names.push([type, queue, lane]) - 1;
    places.set(name, place);
    last = event;
    lastPlace = place;
    return place;
  };
}

function fieldsOf(event: JobEvent, name: number, at: number): Fields {
  const { id, run, attempt, dueAtMs, atMs } = event;
  const [due, time] = [dueAtMs - at, atMs - at];
  // The commonest of all are made in one piece: an array that grows is copied.
  if (event.kind === 'succeeded' && event.cutFrom === undefined && event.result !== undefined)
    return [codes.succeeded, id, name, run, attempt, due, time, event.startedAtMs - at, event.result];
  const fields: Fields = [codes[event.kind], id, name, run, attempt, due, time];
  const since = (timeMs: number | undefined): number | null => (timeMs === undefined ? null : timeMs - at);
  switch (event.kind) {
    case 'started':
    case 'discarded':
      return fields;
    case 'accepted':
      fields.push(event.maxAttempts ?? null, since(event.expiresAtMs), event.traceId ?? null);
      fields.push(event.payload ?? null, event.isAgain ?? null, event.timeoutMs ?? null);
      break;
    case 'progressed':
      fields.push(event.step, event.percent, event.note ?? null);
      break;
    case 'succeeded':
      fields.push(event.startedAtMs - at, event.result ?? null, event.cutFrom ?? null);
      break;
    case 'retried':
      fields.push(event.startedAtMs - at, event.nextDueAtMs - at, event.failure);
      break;
    case 'cancelled':
      fields.push(since(event.startedAtMs), event.failure, event.payload);
      break;
    case 'deadLettered':
      fields.push(since(event.startedAtMs), event.reason, event.failure, event.payload);
      break;
    case 'replayed':
      fields.push(event.payload ?? null);
      break;
    default:
      throw new Error(`no event is of kind ${String(event satisfies never)}`);
  }
  while (fields.at(-1) === null) fields.pop();
  return fields;
}

/** Events of a batch that cannot be read here, as of a later release. */
export interface Unread {
  /** The fault of the first of them. */
  readonly reason: string;
  readonly count: number;
  /** The batch with these events alone. */
  readonly raw: Buffer;
}

/**
 * @param unread  told of events that cannot be read, which the batch then lacks; absent: one of them is a fault of the whole
 * @throws Undecodable  naming the fault; nothing else, whatever the bytes
 */
export function decodeBatch(bytes: Buffer, unread?: (rest: Unread) => void): EventBatch {
  const batch = parse(bytes);
  const version = batch['v'];
  if (version !== FORMAT_VERSION) {
    fail(`format ${JSON.stringify(version)} is not known here; this release reads format ${FORMAT_VERSION}`);
  }
  const source = text(batch['source'], 'source');
  if (!isUuid(source)) fail('source must be a UUID');
  const atMs = whole(batch['at'], 'at', 0);
  const isLast = batch['last'];
  if (typeof isLast !== 'boolean') fail('last must be true or false');
  const names = namesIn(list(batch['names'], 'names'));
  const faults: { readonly fields: unknown; readonly reason: string }[] = [];
  const read = (fields: unknown, index: number): JobEvent | undefined => {
    try {
      return eventOf(fields, index, names, atMs);
    } catch (error) {
      if (unread === undefined || !(error instanceof Undecodable)) throw error;
      faults.push({ fields, reason: error.message });
      return undefined;
    }
  };
  const decoded: EventBatch = {
    source,
    seq: whole(batch['seq'], 'seq', 1),
    role: oneOf(sourceRoles, batch['role'], 'role'),
    host: text(batch['host'], 'host'),
    atMs,
    held: whole(batch['held'], 'held', 0),
    isLast,
    events: list(batch['events'], 'events').flatMap((fields, index) => read(fields, index) ?? []),
  };
  const [first] = faults;
  if (first !== undefined) {
    const raw = Buffer.from(JSON.stringify({ ...batch, events: faults.map(({ fields }) => fields) }));
    unread?.({ reason: first.reason, count: faults.length, raw });
  }
  return decoded;
}

/** When a batch says that it was sent, read without the rest of it; undefined where it does not say it within its first part. */
export function sentAtOf(bytes: Buffer): number | undefined {
  // Within a text of JSON the quotation mark would have a backslash before it.
  const [, digits] = /,"at":(\d{1,16}),/.exec(bytes.toString('latin1', 0, LONGEST_HEAD)) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

function parse(bytes: Buffer): Record<string, unknown> {
  // Read as UTF-8 regardless, damaged texts would pass for whole ones.
  if (!isUtf8(bytes)) fail('the batch is not UTF-8');
  let batch: unknown;
  try {
    batch = JSON.parse(bytes.toString());
  } catch (error) {
    throw new Undecodable('the batch is not JSON', { cause: error });
  }
  return record(batch, 'the batch');
}

type Name = Pick<AboutJob, 'type' | 'queue' | 'lane'>;

const typePattern = new RegExp(jobTypePattern);
const queuePattern = new RegExp(queueNamePattern);

type NameAt = (index: number) => Name | undefined;

/** Read when an event asks for it: a name that cannot be read is a fault of its events alone. */
function namesIn(values: readonly unknown[]): NameAt {
  const known: Name[] = [];
  return (index) => {
    if (index >= values.length) return undefined;
    known[index] ??= nameOf(values[index], index);
    return known[index];
  };
}

function nameOf(value: unknown, index: number): Name {
  const where = `name ${index}`;
  const [type, queue, lane] = list(value, where);
  return {
    type: matching(typePattern, type, `${where}: type`),
    queue: matching(queuePattern, queue, `${where}: queue`),
    lane: oneOf(lanes, lane, `${where}: lane`),
  };
}

/** The text of a message is made where it is needed: this runs for every event there is. */
function eventOf(value: unknown, index: number, names: NameAt, at: number): JobEvent {
  try {
    return readEvent(list(value, 'it'), names, at);
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error;
    throw new Undecodable(`event ${index}: ${error.message}`);
  }
}

function readEvent(fields: Fields, names: NameAt, at: number): JobEvent {
  // By their places: to take an array apart goes through its iterator, which was half of the time here.
  const kind = kinds[whole(fields[0], 'kind', 0)];
  if (kind === undefined) fail(`kind ${fields[0]} is not known here`);
  const id = fields[1];
  if (!isJobId(id)) fail('id must be a UUID of version 7');
  const name = names(whole(fields[2], 'name', 0));
  if (name === undefined) fail(`name ${fields[2]} is not in names`);
  const { type, queue, lane } = name;
  const run = whole(fields[3], 'run', 1, greatestRun);
  const attempt = whole(fields[4], 'attempt', 1, greatestAttempt);
  const dueAtMs = timeOf(at, fields[5], 'due');
  const atMs = timeOf(at, fields[6], 'time');
  const about: AboutJob = { id, type, queue, lane, run, attempt, dueAtMs, atMs };
  const [first, second, third] = [fields[7], fields[8], fields[9]];
  const [fourth, fifth, sixth] = [fields[10], fields[11], fields[12]];
  // The two kinds that every job has are added to, not spread: a copy of an object with a time in it gets a hidden class of its own.
  switch (kind) {
    case 'accepted': {
      if (fifth !== undefined && fifth !== null && fifth !== true) fail('isAgain must be true');
      const event = about as Writable<JobEvent & { kind: typeof kind }>;
      event.kind = kind;
      if (isGiven(first)) event.maxAttempts = whole(first, 'maxAttempts', 1);
      if (isGiven(second)) event.expiresAtMs = timeOf(at, second, 'expiry');
      if (isGiven(third)) event.traceId = text(third, 'traceId');
      if (isGiven(fourth)) event.payload = text(fourth, 'payload');
      if (fifth === true) event.isAgain = true;
      if (isGiven(sixth)) event.timeoutMs = whole(sixth, 'timeoutMs', 1);
      return event;
    }
    case 'started':
    case 'discarded':
      return { ...about, kind };
    case 'progressed': {
      const step = whole(first, 'step', 1);
      if (typeof second !== 'number' || !(second >= 0 && second <= 100)) {
        fail('percent must be a number from 0 to 100');
      }
      const event: Writable<JobEvent & { kind: typeof kind }> = { ...about, kind, step, percent: second };
      if (isGiven(third)) event.note = text(third, 'note');
      return event;
    }
    case 'succeeded': {
      const event = about as Writable<JobEvent & { kind: typeof kind }>;
      event.kind = kind;
      event.startedAtMs = timeOf(at, first, 'start');
      if (isGiven(second)) event.result = text(second, 'result');
      if (isGiven(third)) event.cutFrom = whole(third, 'cutFrom', 0);
      return event;
    }
    case 'retried': {
      const [startedAtMs, nextDueAtMs] = [timeOf(at, first, 'start'), timeOf(at, second, 'next due')];
      return { ...about, kind, startedAtMs, nextDueAtMs, failure: failureIn(third) };
    }
    case 'cancelled': {
      const end = { ...about, kind, failure: failureIn(second), payload: text(third, 'payload') };
      return isGiven(first) ? { ...end, startedAtMs: timeOf(at, first, 'start') } : end;
    }
    case 'deadLettered': {
      const reason = oneOf(deathReasons, second, 'reason');
      const end = { ...about, kind, reason, failure: failureIn(third), payload: text(fourth, 'payload') };
      return isGiven(first) ? { ...end, startedAtMs: timeOf(at, first, 'start') } : end;
    }
    case 'replayed':
      return isGiven(first) ? { ...about, kind, payload: text(first, 'payload') } : { ...about, kind };
    default:
      throw new Error(`no event is of kind ${String(kind satisfies never)}`);
  }
}

/** A field that is not said is left out at the end, or null. */
function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function timeOf(at: number, value: unknown, what: string): number {
  return whole(at + whole(value, what, Number.MIN_SAFE_INTEGER), what, 0, lastMs);
}

function failureIn(value: unknown): Failure {
  const { name, message, code, stack } = record(value, 'failure');
  return {
    name: text(name, 'failure.name'),
    message: text(message, 'failure.message'),
    ...(code !== undefined && { code: text(code, 'failure.code') }),
    ...(stack !== undefined && { stack: text(stack, 'failure.stack') }),
  };
}

function fail(fault: string): never {
  throw new Undecodable(fault);
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(`${what} must be an object`);
  return value as Record<string, unknown>;
}

function list(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) fail(`${what} must be an array`);
  return value;
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') fail(`${what} must be a string`);
  return value;
}

function matching(pattern: RegExp, value: unknown, what: string): string {
  if (typeof value !== 'string' || !pattern.test(value)) fail(`${what} must match ${pattern.source}`);
  return value;
}

function oneOf<Value extends string>(values: readonly Value[], value: unknown, what: string): Value {
  const found = values.find((known) => known === value);
  return found ?? fail(`${what} must be one of ${values.join(', ')}`);
}

function whole(value: unknown, what: string, least: number, greatest = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > greatest) {
    const range = greatest === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${greatest}`;
    fail(`${what} must be a whole number ${range}`);
  }
  return value;
}
