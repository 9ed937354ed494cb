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
import { validate as isUuid, version as uuidVersion } from 'uuid';
import { Undecodable } from './errors.js';
import { type AboutJob, type EventBatch, type EventKind, type JobEvent, sourceRoles } from './event.js';
import { greatestAttempt, greatestRun } from './fold.js';
import { jobTypePattern, type Lane, lanes, lastMs, queueNamePattern } from './job.js';
import { deathReasons, type Failure } from './outcome.js';

const FORMAT_VERSION = 1;

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
  const places = new Map<string, number>();
  const events = batch.events.map((event) => {
    const { type, queue, lane } = event;
    const name = `${type} ${queue} ${lane}`;
    let place = places.get(name);
    if (place === undefined) {
      place = names.push([type, queue, lane]) - 1;
      places.set(name, place);
    }
    return fieldsOf(event, place, at);
  });
  return Buffer.from(
    JSON.stringify({ v: FORMAT_VERSION, source, seq, role, host, at, held, last, names, events }),
  );
}

function fieldsOf(event: JobEvent, name: number, at: number): Fields {
  const { id, run, attempt, dueAtMs, atMs } = event;
  const fields: Fields = [codes[event.kind], id, name, run, attempt, dueAtMs - at, atMs - at];
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

/** @throws Undecodable  naming the fault; nothing else, whatever the bytes */
export function decodeBatch(bytes: Buffer): EventBatch {
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
  const names = list(batch['names'], 'names').map(nameOf);
  return {
    source,
    seq: whole(batch['seq'], 'seq', 1),
    role: oneOf(sourceRoles, batch['role'], 'role'),
    host: text(batch['host'], 'host'),
    atMs,
    held: whole(batch['held'], 'held', 0),
    isLast,
    events: list(batch['events'], 'events').map((fields, index) => {
      const where = `event ${index}`;
      return eventOf(list(fields, where), where, names, atMs);
    }),
  };
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

function nameOf(value: unknown, index: number): Name {
  const where = `name ${index}`;
  const [type, queue, lane] = list(value, where);
  return {
    type: matching(typePattern, type, `${where}: type`),
    queue: matching(queuePattern, queue, `${where}: queue`),
    lane: oneOf(lanes, lane, `${where}: lane`),
  };
}

function eventOf(fields: Fields, where: string, names: readonly Name[], at: number): JobEvent {
  const [code, id, place, run, attempt, due, time] = fields;
  const kind = kinds[whole(code, `${where}: kind`, 0)];
  if (kind === undefined) fail(`${where}: kind ${code} is not known here`);
  if (typeof id !== 'string' || !isUuid(id) || uuidVersion(id) !== 7) {
    fail(`${where}: id must be a UUID of version 7`);
  }
  const name = names[whole(place, `${where}: name`, 0)];
  if (name === undefined) fail(`${where}: name ${place} is not in names`);
  const timeOf = (value: unknown, what: string): number => {
    const timeMs = at + whole(value, `${where}: ${what}`, Number.MIN_SAFE_INTEGER);
    return whole(timeMs, `${where}: ${what}`, 0, lastMs);
  };
  const about: AboutJob = {
    id,
    type: name.type,
    queue: name.queue,
    lane: name.lane,
    run: whole(run, `${where}: run`, 1, greatestRun),
    attempt: whole(attempt, `${where}: attempt`, 1, greatestAttempt),
    dueAtMs: timeOf(due, 'due'),
    atMs: timeOf(time, 'time'),
  };
  const [first, second, third, fourth, fifth, sixth] = fields.slice(7);
  const startOf = (value: unknown): number => timeOf(value, 'start');
  const payloadOf = (value: unknown): string => text(value, `${where}: payload`);
  const failureOf = (value: unknown): Failure => failureIn(value, `${where}: failure`);
  switch (kind) {
    case 'accepted': {
      if (fifth !== undefined && fifth !== null && fifth !== true) fail(`${where}: isAgain must be true`);
      const maxAttempts = given(first, (value) => whole(value, `${where}: maxAttempts`, 1));
      const expiresAtMs = given(second, (value) => timeOf(value, 'expiry'));
      const traceId = given(third, (value) => text(value, `${where}: traceId`));
      const payload = given(fourth, payloadOf);
      const timeoutMs = given(sixth, (value) => whole(value, `${where}: timeoutMs`, 1));
      return {
        ...about,
        kind,
        ...(maxAttempts !== undefined && { maxAttempts }),
        ...(timeoutMs !== undefined && { timeoutMs }),
        ...(expiresAtMs !== undefined && { expiresAtMs }),
        ...(traceId !== undefined && { traceId }),
        ...(payload !== undefined && { payload }),
        ...(fifth === true && { isAgain: true }),
      };
    }
    case 'started':
    case 'discarded':
      return { ...about, kind };
    case 'progressed': {
      const step = whole(first, `${where}: step`, 1);
      if (typeof second !== 'number' || !(second >= 0 && second <= 100)) {
        fail(`${where}: percent must be a number from 0 to 100`);
      }
      const note = given(third, (value) => text(value, `${where}: note`));
      return { ...about, kind, step, percent: second, ...(note !== undefined && { note }) };
    }
    case 'succeeded': {
      const startedAtMs = startOf(first);
      const result = given(second, (value) => text(value, `${where}: result`));
      const cutFrom = given(third, (value) => whole(value, `${where}: cutFrom`, 0));
      return {
        ...about,
        kind,
        startedAtMs,
        ...(result !== undefined && { result }),
        ...(cutFrom !== undefined && { cutFrom }),
      };
    }
    case 'retried': {
      const [startedAtMs, nextDueAtMs] = [startOf(first), timeOf(second, 'next due')];
      return { ...about, kind, startedAtMs, nextDueAtMs, failure: failureOf(third) };
    }
    case 'cancelled': {
      const startedAtMs = given(first, startOf);
      const end = { ...about, kind, failure: failureOf(second), payload: payloadOf(third) };
      return startedAtMs === undefined ? end : { ...end, startedAtMs };
    }
    case 'deadLettered': {
      const startedAtMs = given(first, startOf);
      const reason = oneOf(deathReasons, second, `${where}: reason`);
      const end = { ...about, kind, reason, failure: failureOf(third), payload: payloadOf(fourth) };
      return startedAtMs === undefined ? end : { ...end, startedAtMs };
    }
    case 'replayed': {
      const payload = given(first, payloadOf);
      return { ...about, kind, ...(payload !== undefined && { payload }) };
    }
    default:
      throw new Error(`no event is of kind ${String(kind satisfies never)}`);
  }
}

function given<Value>(value: unknown, read: (value: unknown) => Value): Value | undefined {
  return value === undefined || value === null ? undefined : read(value);
}

function failureIn(value: unknown, where: string): Failure {
  const { name, message, code, stack } = record(value, where);
  return {
    name: text(name, `${where}.name`),
    message: text(message, `${where}.message`),
    ...(code !== undefined && { code: text(code, `${where}.code`) }),
    ...(stack !== undefined && { stack: text(stack, `${where}.stack`) }),
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
