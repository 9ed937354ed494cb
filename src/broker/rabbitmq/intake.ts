/** Turns a message into a delivery, or moves it on: what is no job to the dead letters, what kills processes to the suspects. */
import type { GetMessage, Message } from 'amqplib';
import { decode, encodeDeath, withoutBrokerHeaders } from '../../job/codec.js';
import { Invalid, Undecodable } from '../../job/errors.js';
import { type Job, type Lane, lanes } from '../../job/job.js';
import type { Death } from '../../job/outcome.js';
import type { Clock } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import type { Delivery } from '../broker.js';
import { RabbitDelivery, type Settling } from './delivery.js';
import { foundNoLane } from './letters.js';
import type { Link } from './links.js';
import { type Outgoing, outgoingDead, outgoingJob } from './outgoing.js';
import type { Sending } from './publisher.js';
import { addressOf, DEAD_AFTER, SUSPECT_AFTER } from './topology.js';

export interface Intake {
  /** A delivery of a lane, or undefined when the message is being moved elsewhere. */
  fromLane(message: Message, queue: string, lane: Lane, link: Link): Delivery | undefined;
  /** The same for a suspect. */
  fromSuspects(message: GetMessage, queue: string, link: Link): Delivery | undefined;
  /**
   * True for a dead letter that is none, and is being moved into its lane: when it was due, its lane was not there. The broker restores
   * bindings after the queues of delay levels when it comes back from a kill, and a deleted queue is declared again a moment later.
   */
  rescue(message: Message, link: Link): boolean;
  /** Some message is under way: published elsewhere, it would come again from where it was if the connection broke now. */
  isMoving(): boolean;
  /** Resolves when none is. */
  moved(): Promise<void>;
  undecodable(): number;
}

/** @param queues  those that there are */
export function createIntake(settling: Settling, queues: readonly string[], clock: Clock, log: Log): Intake {
  let undecodable = 0;
  const underWay = new Set<Sending>();
  const waiting: (() => void)[] = [];

  function over(sending: Sending): void {
    underWay.delete(sending);
    if (underWay.size === 0) for (const tell of waiting.splice(0)) tell();
  }

  /**
   * Publishes it elsewhere, confirmed, and only then acks it here. Lost on the way, it simply comes again. What cannot be
   * published, such as headers at their limit that grow by a reason, the broker dead-letters as it is.
   */
  async function move(message: Message, outgoing: Outgoing, link: Link): Promise<void> {
    const sending = settling.publisher.sendPatiently(outgoing);
    underWay.add(sending);
    const lost = (): void => {
      over(sending);
      sending.withdraw();
    };
    link.onLost.add(lost);
    try {
      const isSent = await sending.done.then(
        () => true,
        (error: unknown) => {
          if (error instanceof Invalid) return false;
          throw error;
        },
      );
      if (isSent) link.ack(message);
      else link.refuse(message, (channel) => channel.reject(message, false));
      await link.flushed();
    } finally {
      link.onLost.delete(lost);
      over(sending);
    }
  }

  /** A move that fails on the way, as when its channel is closing, is made again with the next delivery. */
  function moveOrLeave(message: Message, outgoing: Outgoing, link: Link): void {
    move(message, outgoing, link).catch((error: unknown) =>
      log.warn(
        { err: error, job: message.properties.messageId },
        'a message could not be moved; it comes again',
      ),
    );
  }

  function read(message: Message, queue: string, lane: Lane, link: Link): Job | undefined {
    try {
      const { messageId, type, headers } = message.properties;
      return decode({ messageId, type, headers: headers ?? {}, body: message.content }, queue, lane);
    } catch (error) {
      if (!(error instanceof Undecodable)) throw error;
      undecodable += 1;
      log.warn(
        { job: message.properties.messageId, queue, lane, reason: error.message },
        'a message is not a job; moved to the dead letters',
      );
      moveOrLeave(message, undecodableLetter(message, error, `${queue}.${lane}`), link);
      return undefined;
    }
  }

  function undecodableLetter(message: Message, error: Undecodable, key: string): Outgoing {
    const { messageId, type, contentType, headers } = message.properties;
    const failure = { name: error.name, message: error.message, code: error.code };
    return {
      route: { exchange: settling.names.dead, key },
      body: message.content,
      properties: {
        persistent: true,
        mandatory: true,
        messageId: typeof messageId === 'string' ? messageId : '',
        ...(typeof type === 'string' ? { type } : {}),
        ...(typeof contentType === 'string' ? { contentType } : {}),
        headers: {
          ...withoutBrokerHeaders(headers ?? {}),
          ...encodeDeath({ reason: 'undecodable', failure, atMs: clock.now() }),
        },
      },
    };
  }

  return {
    fromLane(message, queue, lane, link) {
      const job = read(message, queue, lane, link);
      if (job === undefined) return undefined;
      const lostCount = lostCountOf(message);
      if (lostCount >= SUSPECT_AFTER) {
        log.warn(
          { job: job.id, type: job.type, queue, lostCount },
          'lost with its process or connection too often; moved to the suspects',
        );
        moveOrLeave(message, outgoingJob(job, settling.names.toSuspects(queue, lane)), link);
        return undefined;
      }
      return new RabbitDelivery(job, lostCount, link, message, settling, false);
    },
    fromSuspects(message, queue, link) {
      const lane = lanes.find((name) => name === addressOf(message.fields.routingKey).lane) ?? 'normal';
      const job = read(message, queue, lane, link);
      if (job === undefined) return undefined;
      const lostCount = lostCountOf(message);
      if (lostCount >= DEAD_AFTER) {
        log.warn(
          { job: job.id, type: job.type, queue, lostCount },
          'lost with its process or connection as a suspect, too; moved to the dead letters',
        );
        moveOrLeave(message, outgoingDead(settling.names, job, lostTooOften(clock.now())), link);
        return undefined;
      }
      return new RabbitDelivery(job, lostCount, link, message, settling, true);
    },
    rescue(message, link) {
      const { queue, lane: name } = addressOf(message.fields.routingKey);
      const lane = lanes.find((one) => one === name);
      if (!foundNoLane(message) || lane === undefined || !queues.includes(queue)) return false;
      const job = read(message, queue, lane, link);
      if (job === undefined) return true;
      log.warn(
        { job: job.id, type: job.type, queue },
        'its lane was not there when it was due; moved into it now',
      );
      moveOrLeave(message, outgoingJob(job, settling.names.toLane(queue, lane)), link);
      return true;
    },
    isMoving: () => underWay.size > 0,
    moved: () => (underWay.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    undecodable: () => undecodable,
  };
}

function lostTooOften(atMs: number): Death {
  const reason = 'delivery_limit';
  const message = `its process or connection ended ${SUSPECT_AFTER + DEAD_AFTER} times while this job was in hand`;
  return { reason, failure: { name: 'Lost', code: reason, message }, atMs };
}

/** Quorum queues count in a header what came back unsettled; it is absent the first time. */
function lostCountOf(message: Message): number {
  const count = message.properties.headers?.['x-delivery-count'];
  return typeof count === 'number' ? count : 0;
}
