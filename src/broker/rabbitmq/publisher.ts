/**
 * The outbox: every publish stays in it until the broker has answered. It bounds what is unconfirmed, publishes the unconfirmed
 * again after a reconnect (which can duplicate, never lose), and tells a definite no from an unknown outcome.
 */
import type { ChannelModel, ConfirmChannel } from 'amqplib';
import { Invalid, OutcomeUnknown, Refused, Unavailable } from '../../job/errors.js';
import type { Clock } from '../../runtime/clock.js';
import { createLinkedList, type Link } from '../../runtime/linked-list.js';
import type { Log } from '../../runtime/log.js';
import type { Outgoing } from './outgoing.js';
import { createPublishFrames } from './publish-frames.js';
import { publishWireOf } from './wire.js';

export interface PublisherOptions {
  /** Most publishes unconfirmed at a time; as many again may wait for a place. */
  readonly window: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Seconds from write to confirm. */
  readonly confirmed: (seconds: number) => void;
  /** A message found no queue: the topology is damaged. */
  readonly unroutable: () => void;
  /** The channel was closed under a live connection. */
  readonly channelLost: (reason: string) => void;
}

export interface Sending {
  readonly done: Promise<void>;
  /** Takes it back; then `done` never settles. */
  withdraw(): void;
}

export interface Publisher {
  attach(model: ChannelModel): Promise<void>;
  detach(): void;
  block(isBlocked: boolean): void;
  /** Gives up after the timeout. @throws as `Broker.publish` */
  send(outgoing: Outgoing): Promise<void>;
  /** Holds on through outages, alarms and refusals until it is confirmed. */
  sendPatiently(outgoing: Outgoing): Sending;
  /** Resolves when nothing is unconfirmed, or after `limitMs`; what is left then is an unknown outcome. Sends nothing new afterwards. */
  close(limitMs: number): Promise<void>;
  unconfirmed(): number;
  isBlocked(): boolean;
  isUp(): boolean;
  /** `close` was called. */
  isClosed(): boolean;
}

interface Entry {
  readonly outgoing: Outgoing;
  readonly isPatient: boolean;
  /** By `performance.now()`: the wall clock can jump. */
  readonly deadlineMs: number;
  sentAtMs: number;
  /** Where it is in the outbox; undefined while it waits for a place. */
  link: Link<Entry> | undefined;
  /** Its caller has been told that the outcome is unknown. It takes up its place until the broker answers or the channel ends. */
  isGivenUp: boolean;
  resolve(): void;
  reject(error: Error): void;
}

type Write = (outgoing: Outgoing, confirmed: (error: Error | null) => void) => void;

/** A bound in bytes beside the one in publishes, for payloads of a megabyte. */
const WINDOW_BYTES = 64 * 1024 * 1024;
const SWEEP_MS = 500;
const RESEND_AFTER_MS = 1_000;
const NACKED = 'message nacked'; // amqplib's wording in channel.js; the protocol gives no reason either.

export function createPublisher(options: PublisherOptions): Publisher {
  const { window, timeoutMs, clock, log } = options;
  const outbox = createLinkedList<Entry>();
  const waiting: Entry[] = [];
  const returned = new Set<string>();
  let bytes = 0;
  let channel: ConfirmChannel | undefined;
  let write: Write = () => {};
  let isBlocked = false;
  let isClosed = false;
  let sweep: (() => void) | undefined;
  let emptied = (): void => {};

  function hasRoomFor(size: number): boolean {
    return outbox.size < window && (bytes + size <= WINDOW_BYTES || outbox.size === 0);
  }

  function enter(entry: Entry): void {
    entry.link = outbox.add(entry);
    bytes += entry.outgoing.body.length;
    sweep ??= clock.after(SWEEP_MS, sweepLate);
    transmit(entry);
  }

  /** Takes the entry out; false when it was out already, as after a timeout. */
  function leave(entry: Entry): boolean {
    if (entry.link === undefined) return false;
    outbox.remove(entry.link);
    entry.link = undefined;
    bytes -= entry.outgoing.body.length;
    while (waiting.length > 0 && hasRoomFor((waiting[0] as Entry).outgoing.body.length))
      enter(waiting.shift() as Entry);
    if (outbox.size === 0) emptied();
    return true;
  }

  function transmit(entry: Entry): void {
    const via = channel;
    if (via === undefined) return; // Sent by the next `attach`.
    entry.sentAtMs = performance.now();
    try {
      write(entry.outgoing, (error) => answered(entry, via, error));
    } catch (cause) {
      if (channel !== via || (cause as Error).name === 'IllegalOperationError') return; // The channel has just closed.
      if (leave(entry))
        entry.reject(
          new Invalid('invalid_job', `the job cannot be sent as a message: ${(cause as Error).message}`, {
            cause,
          }),
        );
    }
  }

  function answered(entry: Entry, via: ConfirmChannel, error: Error | null): void {
    const id = entry.outgoing.properties.messageId;
    if (error === null && returned.delete(id)) {
      options.unroutable();
      refuse(
        entry,
        via,
        () => new Unavailable('the broker has lost the queue of this job; it is being declared again'),
      );
    } else if (error === null) {
      if (leave(entry)) entry.resolve();
      options.confirmed((performance.now() - entry.sentAtMs) / 1_000);
    } else if (error.message === NACKED) {
      refuse(
        entry,
        via,
        () => new Refused('queue_full', 'the broker refuses further jobs in this queue', 5_000),
      );
    }
    // Else the channel closed: the entry stays, and the next `attach` sends it again.
  }

  function refuse(entry: Entry, via: ConfirmChannel, reason: () => Error): void {
    if (entry.link === undefined) return;
    if (entry.isPatient) {
      clock.after(RESEND_AFTER_MS, () => {
        if (entry.link !== undefined && channel === via) transmit(entry);
      });
    } else if (leave(entry)) {
      entry.reject(reason());
    }
  }

  /** What was written stays in memory until the broker reads it, so a place that timed out is not free yet. */
  function giveUp(entry: Entry): void {
    entry.isGivenUp = true;
    const stored = new Promise<void>((resolve) => {
      entry.resolve = resolve;
    });
    entry.reject(
      new OutcomeUnknown(
        `outcome unknown: the broker has not confirmed the job within ${timeoutMs} ms; it may have been stored`,
        { stored },
      ),
    );
    if (channel === undefined) leave(entry);
  }

  function dropGivenUp(): void {
    for (const entry of outbox.values()) if (entry.isGivenUp) leave(entry);
  }

  function sweepLate(): void {
    const now = performance.now();
    for (const entry of outbox.values()) {
      if (entry.isPatient || entry.isGivenUp) continue;
      if (entry.deadlineMs > now) break;
      giveUp(entry);
    }
    while (waiting.length > 0 && (waiting[0] as Entry).deadlineMs <= now)
      (waiting.shift() as Entry).reject(overloaded());
    sweep = outbox.size > 0 || waiting.length > 0 ? clock.after(SWEEP_MS, sweepLate) : undefined;
  }

  function overloaded(): Refused {
    return new Refused('overloaded', `more than ${window} jobs wait for the broker's confirm`, 1_000);
  }

  return {
    async attach(next) {
      const fresh = await next.createConfirmChannel();
      fresh.on('error', (error) =>
        log.warn({ reason: error.message }, 'the broker closed the publishing channel'),
      );
      fresh.on('return', (message) => returned.add(String(message.properties.messageId)));
      fresh.on('close', () => {
        if (channel !== fresh) return;
        channel = undefined;
        options.channelLost('the publishing channel was closed');
      });
      channel = fresh;
      write = writeOn(fresh);
      returned.clear();
      for (const entry of outbox.values()) transmit(entry);
    },

    detach() {
      channel = undefined;
      dropGivenUp();
    },

    block(value) {
      isBlocked = value;
    },

    send(outgoing) {
      if (isClosed) return Promise.reject(new Unavailable('shutting down'));
      if (channel === undefined)
        return Promise.reject(new Unavailable('there is no connection to the broker'));
      if (isBlocked)
        return Promise.reject(new Unavailable('the broker takes no jobs: it is short of memory or disk'));
      const hasRoom = waiting.length === 0 && hasRoomFor(outgoing.body.length);
      if (!hasRoom && waiting.length >= window) return Promise.reject(overloaded());
      return new Promise((resolve, reject) => {
        const entry: Entry = {
          outgoing,
          isPatient: false,
          deadlineMs: performance.now() + timeoutMs,
          sentAtMs: 0,
          link: undefined,
          isGivenUp: false,
          resolve,
          reject,
        };
        if (hasRoom) enter(entry);
        else waiting.push(entry);
      });
    },

    sendPatiently(outgoing) {
      let entry: Entry | undefined;
      const done = new Promise<void>((resolve, reject) => {
        entry = {
          outgoing,
          isPatient: true,
          deadlineMs: 0,
          sentAtMs: 0,
          link: undefined,
          isGivenUp: false,
          resolve,
          reject,
        };
        enter(entry);
      });
      return {
        done,
        withdraw() {
          if (entry !== undefined) leave(entry);
        },
      };
    },

    async close(limitMs) {
      isClosed = true;
      dropGivenUp();
      let cancel = (): void => {};
      if (outbox.size > 0) {
        await new Promise<void>((resolve) => {
          emptied = resolve;
          cancel = clock.after(limitMs, resolve);
        });
      }
      cancel();
      sweep?.();
      for (const entry of [...waiting.splice(0)]) entry.reject(new Unavailable('shutting down'));
      for (const entry of outbox.values()) {
        leave(entry);
        entry.reject(new OutcomeUnknown('outcome unknown: shut down before the broker confirmed the job'));
      }
    },

    unconfirmed: () => outbox.size,
    isBlocked: () => isBlocked,
    isUp: () => channel !== undefined,
    isClosed: () => isClosed,
  };
}

/** Jobs by frames of our own, all else by amqplib's. Throws what `ConfirmChannel.publish` throws. */
function writeOn(channel: ConfirmChannel): Write {
  const wire = publishWireOf(channel);
  const frames = wire && createPublishFrames(wire);
  return (outgoing, confirmed) => {
    if (wire?.isOpen() && frames?.write(outgoing)) wire.written(confirmed);
    else
      channel.publish(
        outgoing.route.exchange,
        outgoing.route.key,
        outgoing.body,
        outgoing.properties,
        confirmed,
      );
  };
}
