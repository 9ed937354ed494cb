/** The broker queues in which a stock lies, and what a message in each of them is. */
import type { Message } from 'amqplib';
import { decode } from '../../job/codec.js';
import { Undecodable } from '../../job/errors.js';
import { type Job, type Lane, lanes } from '../../job/job.js';
import { type Parcel, unknownQueues } from '../stock.js';
import { letterOf } from './letters.js';
import { addressOf, DELAY_LEVELS, type Names } from './topology.js';

export interface StockPlace {
  /** The broker queue. */
  readonly name: string;
  readonly kind: Parcel['kind'];
  /** The queue of its jobs; undefined where those of all queues lie. */
  readonly queue: string | undefined;
  /** @throws Invalid  code `unknown_queue` */
  parcelOf(message: Message, nowMs: number): Parcel;
}

/** In the order in which they are moved: what waits in a lane is older than what comes due meanwhile. */
export function stockPlaces(names: Names, queues: readonly string[]): readonly StockPlace[] {
  const waiting = queues.flatMap((queue) =>
    lanes.map(
      (lane): StockPlace => ({
        name: names.lane(queue, lane),
        kind: 'waiting',
        queue,
        parcelOf: (message, nowMs) => read(message, queue, lane, 'waiting', nowMs),
      }),
    ),
  );
  const suspects = queues.map(
    (queue): StockPlace => ({
      name: names.suspectsOf(queue),
      kind: 'suspect',
      queue,
      parcelOf: (message, nowMs) => read(message, queue, laneOf(message) ?? 'normal', 'suspect', nowMs),
    }),
  );
  const delayed = Array.from(
    { length: DELAY_LEVELS },
    (_, level): StockPlace => ({
      name: names.delayLevel(level),
      kind: 'delayed',
      queue: undefined,
      parcelOf(message, nowMs) {
        const { queue } = addressOf(message.fields.routingKey);
        const lane = laneOf(message);
        if (lane === undefined || !queues.includes(queue)) throw unknownQueues([queue]);
        return read(message, queue, lane, 'delayed', nowMs);
      },
    }),
  );
  const dead: StockPlace = {
    name: names.dead,
    kind: 'dead',
    queue: undefined,
    parcelOf: (message, nowMs) => ({ kind: 'dead', letter: letterOf(message, nowMs) }),
  };
  return [...waiting, ...suspects, ...delayed, dead];
}

/** What is no job arrives as a dead letter, as it would had a worker met it. */
function read(
  message: Message,
  queue: string,
  lane: Lane,
  kind: 'waiting' | 'suspect' | 'delayed',
  nowMs: number,
): Parcel {
  const { messageId, type, headers } = message.properties;
  let job: Job;
  try {
    job = decode({ messageId, type, headers: headers ?? {}, body: message.content }, queue, lane);
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error;
    const failure = { name: error.name, message: error.message, code: error.code };
    const letter = letterOf(message, nowMs);
    return {
      kind: 'dead',
      letter: { ...letter, queue, lane, death: { reason: 'undecodable', failure, atMs: nowMs } },
    };
  }
  return { kind, job };
}

function laneOf(message: Message): Lane | undefined {
  const { lane } = addressOf(message.fields.routingKey);
  return lanes.find((name) => name === lane);
}
