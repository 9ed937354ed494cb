/** Dead letters as messages: why and when they died, told by us in headers, or by the broker in its own. */
import type { Message } from 'amqplib';
import { encodeDeath, withoutBrokerHeaders } from '../../job/codec.js';
import { lastMs } from '../../job/job.js';
import type { Death, Failure } from '../../job/outcome.js';
import type { DeadLetter } from '../stock.js';
import type { Outgoing } from './outgoing.js';
import { addressOf, type Names } from './topology.js';

/** A message of the queue of dead letters. */
export function letterOf(message: Message, nowMs: number): DeadLetter {
  const headers = message.properties.headers ?? {};
  const own = Object.entries(withoutBrokerHeaders(headers)).filter(([name]) => !(name in noDeath));
  return {
    ...addressOf(message.fields.routingKey),
    messageId: message.properties.messageId,
    type: message.properties.type,
    headers: Object.fromEntries(own),
    body: message.content,
    ...contentTypeOf(message),
    death: deathOf(headers, nowMs),
  };
}

export function outgoingLetter(
  names: Names,
  { queue, lane, death, contentType, ...envelope }: DeadLetter,
): Outgoing {
  const { messageId, type } = envelope;
  return {
    route: { exchange: names.dead, key: `${queue}.${lane}` },
    body: envelope.body,
    properties: {
      persistent: true,
      mandatory: true,
      messageId: typeof messageId === 'string' ? messageId : '',
      ...(typeof type === 'string' && type !== '' ? { type } : {}),
      ...(death.reason !== 'undecodable'
        ? { contentType: 'application/json' }
        : contentType !== undefined && { contentType }),
      headers: { ...envelope.headers, ...encodeDeath(death) },
    },
  };
}

/** That of a job is known. */
function contentTypeOf({ properties: { contentType } }: Message): { readonly contentType?: string } {
  return typeof contentType === 'string' && contentType !== 'application/json' ? { contentType } : {};
}

/** Neither we nor a limit has ended it: it left a delay level and came to the alternate exchange. */
export function foundNoLane({ properties: { headers = {} } }: Message): boolean {
  const deaths: unknown = headers['x-death'];
  const newest: unknown = Array.isArray(deaths) ? deaths[0] : undefined;
  const cause = fieldOf(newest, 'reason') ?? headers['x-first-death-reason'];
  return headers['sluice-dead-reason'] === undefined && cause === 'expired';
}

/** The names of the headers of a death. */
const noDeath = encodeDeath({
  reason: 'permanent',
  failure: { name: '', message: '' },
  atMs: 0,
  startedAtMs: 0,
});

function deathOf(headers: Readonly<Record<string, unknown>>, nowMs: number): Death {
  const {
    'sluice-dead-reason': reason,
    'sluice-dead-at-ms': atMs,
    'sluice-dead-error': error,
    'sluice-dead-started-ms': startedAtMs,
    'x-death': deaths,
  } = headers;
  if (typeof reason === 'string') {
    return {
      reason: reason as Death['reason'],
      failure: failureOf(error),
      atMs: isTime(atMs) ? atMs : nowMs,
      ...(isTime(startedAtMs) && { startedAtMs }),
    };
  }
  // The newest stands first. https://www.rabbitmq.com/docs/dlx#effects
  const newest: unknown = Array.isArray(deaths) ? deaths[0] : undefined;
  const cause = fieldOf(newest, 'reason') ?? headers['x-first-death-reason'];
  const seconds = fieldOf(fieldOf(newest, 'time'), 'value');
  const isLimit = cause === 'delivery_limit';
  return {
    reason: isLimit ? 'delivery_limit' : 'permanent',
    failure: {
      name: isLimit ? 'Lost' : 'DeadLettered',
      message: isLimit
        ? 'its process or connection ended too often while this job was in hand'
        : `moved to the dead letters by the broker (${String(cause ?? 'no queue took it')})`,
    },
    atMs: typeof seconds === 'number' ? seconds * 1_000 : nowMs,
  };
}

/** Any client can write these headers: a time that no date can say would be shown to nobody. */
function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= lastMs;
}

function failureOf(text: unknown): Failure {
  const asItStands = { name: 'Error', message: String(text ?? '') };
  try {
    const failure: unknown = JSON.parse(String(text));
    return typeof fieldOf(failure, 'name') === 'string' ? (failure as Failure) : asItStands;
  } catch {
    return asItStands;
  }
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}
