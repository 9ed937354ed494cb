/** The stock of RabbitMQ, taken out: one broker queue after the other, until all that can be seen of them is empty. */
import type { ChannelModel, Message } from 'amqplib';
import { Invalid, Unavailable } from '../../job/errors.js';
import { type Clock, sleep } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import type { Parcel, Stock, StockSource } from '../stock.js';
import { createConnection } from './connection.js';
import { replyCode } from './declare.js';
import { drainQueue } from './drain-queue.js';
import { type StockPlace, stockPlaces } from './stock-places.js';
import { describeTopology, type Names } from './topology.js';

export interface RabbitStockOptions {
  readonly urls: readonly string[];
  readonly prefix: string;
  readonly queues: readonly string[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** AMQP reply codes (AMQP 0-9-1, section 1.2). */
const NOT_FOUND = 404;
const RESOURCE_LOCKED = 405;
/** A delayed job between two levels is in neither of them for a moment, so empty means: seen empty this often, this far apart. */
const EMPTY_LOOKS = 5;
const RETURN_LOOKS = 10;
/** Suspects are taken one by one: what is in hand when we are ended is charged with it, and they have a low limit. */
const IN_HAND = 256;
const LOOK_AGAIN_MS = 200;

export function createRabbitSource(options: RabbitStockOptions): StockSource {
  const { prefix, clock, log } = options;
  const { names, queues } = describeTopology(prefix, options.queues);
  const places = stockPlaces(names, queues);
  const hosts = options.urls.map((url) => new URL(url).host).join(', ');
  const connection = createConnection({
    ...options,
    name: `${prefix} move from`,
    setUp: (model) => claim(model, names, prefix, hosts),
    tearDown() {},
  });

  async function look(): Promise<readonly { place: StockPlace; ready: number; consumers: number }[]> {
    const model = connection.current();
    if (model === undefined) throw new Unavailable(`there is no connection to RabbitMQ at ${hosts}`);
    const found = [];
    try {
      let channel = await openQuietly(model);
      for (const place of places) {
        const counts = await channel.checkQueue(place.name).catch(async (error: unknown) => {
          if (replyCode(error) !== NOT_FOUND) throw error;
          channel = await openQuietly(model); // The broker has closed the other one.
          return { messageCount: 0, consumerCount: 0 };
        });
        found.push({ place, ready: counts.messageCount, consumers: counts.consumerCount });
      }
      await channel.close();
      return found;
    } catch (cause) {
      throw new Unavailable(`the queues cannot be counted: ${(cause as Error).message}`, { cause });
    }
  }

  /** Each of these in turn; those that came to nothing because the connection is gone are seen again. */
  async function drainAll(
    occupied: readonly StockPlace[],
    put: (parcel: Parcel) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    for (const place of occupied) {
      const model = connection.current();
      if (model === undefined || signal.aborted) return;
      const hand = async (message: Message): Promise<void> => put(place.parcelOf(message, clock.now()));
      const prefetch = place.kind === 'suspect' ? 1 : IN_HAND;
      await drainQueue({ model, queue: place.name, hand, clock, log, signal, prefetch });
    }
  }

  /** @returns whether it came to the end */
  async function drainUntilEmpty(
    put: (parcel: Parcel) => Promise<void>,
    signal: AbortSignal,
  ): Promise<boolean> {
    for (let empty = 0; empty < EMPTY_LOOKS; ) {
      if (signal.aborted) return false;
      const occupied = await look().then(
        (found) => found.filter(({ ready }) => ready > 0).map(({ place }) => place),
        () => undefined, // The connection tells of its loss, and comes back.
      );
      if (occupied !== undefined && occupied.length > 0) {
        empty = 0;
        await drainAll(occupied, put, signal);
        continue;
      }
      empty = occupied === undefined ? 0 : empty + 1;
      await sleep(clock, LOOK_AGAIN_MS, signal);
    }
    return true;
  }

  /** What was in hand comes back into its queue a moment after the channel is closed; a count before would be too low. */
  async function untilReturned(): Promise<void> {
    let before = -1;
    for (let looks = 0; looks < RETURN_LOOKS; looks++) {
      const found = await look().catch(() => []);
      const ready = found.reduce((total, one) => total + one.ready, 0);
      if (ready === before) return;
      before = ready;
      await sleep(clock, LOOK_AGAIN_MS);
    }
  }

  return {
    async start() {
      await connection.start();
      if (connection.current() === undefined)
        throw new Unavailable(
          `RabbitMQ at ${hosts} cannot be reached: start it or mend its address, then run it again`,
        );
    },
    stop: () => connection.stop(),
    async count() {
      const found = await look();
      const sum = (kind: Parcel['kind']): number =>
        found.reduce((total, { place, ready }) => (place.kind === kind ? total + ready : total), 0);
      const occupied = found.filter(({ ready }) => ready > 0).map(({ place }) => place.queue);
      return {
        counts: {
          waiting: sum('waiting'),
          delayed: sum('delayed'),
          suspect: sum('suspect'),
          dead: sum('dead'),
        },
        queues: [...new Set(occupied.filter((queue) => queue !== undefined))],
        consumers: found.reduce((total, { consumers }) => total + consumers, 0),
      } satisfies Stock;
    },
    async drain(put, signal) {
      let isEmpty = false;
      try {
        isEmpty = await drainUntilEmpty(put, signal);
      } finally {
        if (!isEmpty) await untilReturned();
      }
    },
  };
}

/**
 * Nothing is made here but a queue of this connection alone, the sign that somebody moves jobs out: a second move is
 * refused by it, and so is one that leads back to where it comes from under another address.
 */
async function claim(model: ChannelModel, names: Names, prefix: string, hosts: string): Promise<void> {
  const channel = await openQuietly(model);
  try {
    await channel.checkQueue(names.dead);
    await channel.assertQueue(signOf(prefix), { exclusive: true, durable: false, autoDelete: false });
  } catch (cause) {
    if (replyCode(cause) === NOT_FOUND)
      throw new Invalid(
        'nothing_there',
        `RabbitMQ at ${hosts} has no queues of Sluice that begin with ${prefix}.: mend the address, its virtual host or the prefix`,
        { cause },
      );
    if (replyCode(cause) === RESOURCE_LOCKED)
      throw new Invalid(
        'in_use',
        `another move takes the jobs out of RabbitMQ at ${hosts}, prefix ${prefix}: wait for its end; if its machine was lost, for a minute`,
        { cause },
      );
    throw cause;
  }
  await channel.close();
}

/** @throws Invalid  code `same_place`: jobs are being moved out of there */
export async function refuseSource(model: ChannelModel, prefix: string): Promise<void> {
  const channel = await openQuietly(model);
  try {
    await channel.checkQueue(signOf(prefix));
  } catch (cause) {
    if (replyCode(cause) === NOT_FOUND) return;
    if (replyCode(cause) !== RESOURCE_LOCKED) throw cause;
  }
  throw new Invalid(
    'same_place',
    `jobs are being moved out of the queues with the prefix ${prefix} there: --to must lead elsewhere than --from, and elsewhere than any other move comes from`,
  );
}

function signOf(prefix: string): string {
  return `${prefix}.moving`;
}

/** A channel that may be closed by the broker: the rejected call says why. */
async function openQuietly(model: ChannelModel) {
  const channel = await model.createChannel();
  channel.on('error', () => {});
  return channel;
}
