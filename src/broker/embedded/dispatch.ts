/** The lanes: what waits in each, as jobs, to its consumers. */
import { Undecodable } from '../../job/errors.js';
import type { Job, Lane } from '../../job/job.js';
import type { Clock } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import type { Consumer, Delivery, Source } from '../broker.js';
import { EmbeddedDelivery, type Settling } from './delivery.js';
import { createFeed, type Feed } from './feed.js';
import type { Fetched, Row } from './operations.js';
import type { Placing } from './places.js';
import { PLACES_PER_LANE } from './schema.js';
import type { Storage } from './storage.js';
import { jobOf } from './stored.js';

export interface Dispatch {
  /** `id` of the lane in the file; called once per lane when the file is open. */
  open(id: number, queue: string, lane: Lane): void;
  consume(source: Source, deliver: (delivery: Delivery) => void): Consumer;
  /** Jobs were added to the lane. */
  hasNews(lane: number): void;
  /** A job that is stored in the lane now need not be read: `wasStored` hands it out. */
  isAtEnd(lane: number): boolean;
  wasStored(lane: number, placing: Placing, job: Job): void;
  /** A row that was read, as a job; one that is none goes to the dead letters. */
  read(row: Row, body: Buffer, queue: string, lane: Lane): Job | undefined;
  /** Deliveries of a lane whose end is not on the disk. */
  inHand(lane: number): number;
  consumers(lane: number): number;
  undecodable(): number;
}

export interface DispatchOptions {
  readonly storage: Storage;
  readonly settling: Settling;
  readonly clock: Clock;
  readonly log: Log;
}

interface Item {
  readonly place: number;
  readonly job: Job;
  readonly lost: number;
}

/** A consumer that came before its lane was open. */
interface Early {
  readonly source: Source;
  attach(feed: Feed<Item>): void;
}

export function createDispatch({ storage, settling, clock, log }: DispatchOptions): Dispatch {
  const lanes = new Map<string, Feed<Item>>();
  const lanesById = new Map<number, Feed<Item>>();
  const early = new Set<Early>();
  let undecodable = 0;

  function itemsOf({ rows, bytes }: Fetched, queue: string, lane: Lane): Item[] {
    const items: Item[] = [];
    let at = 0;
    for (const row of rows) {
      const length = row[5];
      const job = read(row, Buffer.from(bytes, at, length), queue, lane);
      at += length;
      if (job !== undefined) items.push({ place: row[0], job, lost: row[4] });
    }
    return items;
  }

  function read(row: Row, body: Buffer, queue: string, lane: Lane): Job | undefined {
    const [place, id] = row;
    try {
      return jobOf(row, body, queue, lane);
    } catch (error) {
      if (!(error instanceof Undecodable)) throw error;
      undecodable += 1;
      log.warn(
        { queue, lane, job: id, reason: error.message },
        'what is stored is not a job; moved to the dead letters',
      );
      const failure = { name: error.name, message: error.message, code: error.code };
      settling
        .bury(place, { reason: 'undecodable', failure, atMs: clock.now() })
        .catch((cause: unknown) =>
          log.error({ err: cause, job: id }, 'it could not be moved; it is met again at the next start'),
        );
      return undefined;
    }
  }

  return {
    open(id, queue, lane) {
      const feed = createFeed<Item>({
        start: id * PLACES_PER_LANE,
        async read(after, limit) {
          const fetched = await storage.fetch([id, after, limit]);
          const items = itemsOf(fetched, queue, lane);
          return { items, isCut: fetched.isCut, upTo: fetched.rows.at(-1)?.[0] };
        },
        isUp: () => !settling.isOver(),
        clock,
        log,
      });
      lanes.set(`${queue}.${lane}`, feed);
      lanesById.set(id, feed);
      for (const { source, attach } of early)
        if (source.queue === queue && source.lane === lane) attach(feed);
    },
    consume(source, deliver) {
      let consumer: Consumer | undefined;
      const one: Early = {
        source,
        attach(feed) {
          early.delete(one);
          consumer = feed.consume(source.prefetch, ({ job, lost, place }, holder) =>
            deliver(new EmbeddedDelivery(job, lost, place, settling, holder)),
          );
        },
      };
      const feed = lanes.get(`${source.queue}.${source.lane}`);
      if (feed === undefined) early.add(one);
      else one.attach(feed);
      return {
        async cancel() {
          early.delete(one);
          await consumer?.cancel();
        },
      };
    },
    hasNews: (id) => lanesById.get(id)?.hasNews(),
    isAtEnd: (id) => lanesById.get(id)?.isAtEnd() === true,
    wasStored: (id, [place, before], job) =>
      lanesById.get(id)?.wasStored({ place, job: withoutItsRequest(job), lost: 0 }, before),
    read,
    inHand: (id) => lanesById.get(id)?.inHand() ?? 0,
    consumers: (id) => lanesById.get(id)?.consumers() ?? 0,
    undecodable: () => undecodable,
  };
}

/** A job in hand keeps at most this much of its request in memory beside its own body. */
const MOST_BESIDE_BYTES = 64 * 1024;

/** The body of a job is a view of its request (or of what was read with it, for a retry). It may be in hand for hours, beside a thousand others. */
function withoutItsRequest(job: Job): Job {
  const isSmall = job.body.buffer.byteLength - job.body.length <= MOST_BESIDE_BYTES;
  return isSmall ? job : { ...job, body: Buffer.from(job.body) };
}
