/** Reads lanes as fast as their consumers have room, and hands the jobs out. */
import { Undecodable } from '../../job/errors.js';
import type { Job, Lane } from '../../job/job.js';
import { type Clock, sleep } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import type { Consumer, Delivery, Source } from '../broker.js';
import { EmbeddedDelivery, type Settling } from './delivery.js';
import { createLaneLine, type LaneLine, type Taker } from './lane-line.js';
import type { Fetched, Row } from './operations.js';
import { PLACES_PER_LANE } from './schema.js';
import type { Storage } from './storage.js';
import { jobOf } from './stored.js';

export interface Dispatch {
  /** `id` of the lane in the file; called once per lane when the file is open. */
  open(id: number, queue: string, lane: Lane): void;
  consume(source: Source, deliver: (delivery: Delivery) => void): Consumer;
  /** Jobs were added to the lane. */
  hasNews(lane: number): void;
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

interface OpenLane {
  readonly id: number;
  readonly line: LaneLine<Item>;
  inHand: number;
  isScheduled: boolean;
}

const READ_AGAIN_MS = 500;

export function createDispatch({ storage, settling, clock, log }: DispatchOptions): Dispatch {
  const lanes = new Map<string, OpenLane>();
  const lanesById = new Map<number, OpenLane & { readonly queue: string; readonly lane: Lane }>();
  const early: { source: Source; taker: Taker<Item> }[] = [];
  let undecodable = 0;

  /** Once per turn of the loop, however many settles and publishes come in it. */
  function schedule(lane: OpenLane): void {
    if (lane.isScheduled || lane.line.takers.length === 0) return;
    lane.isScheduled = true;
    setImmediate(() => {
      lane.isScheduled = false;
      pump(lane);
    });
  }

  function pump(lane: OpenLane): void {
    if (settling.isOver()) return;
    lane.line.handOut();
    const read = lane.line.nextRead();
    if (read === undefined) return;
    storage.fetch([lane.id, read.after, read.limit]).then(
      (fetched) => {
        lane.line.wasRead(itemsOf(lane.id, fetched), fetched.isCut, fetched.rows.at(-1)?.[0]);
        pump(lane);
      },
      (error: unknown) => {
        lane.line.readFailed();
        if (settling.isOver()) return;
        log.error({ err: error }, 'the waiting jobs cannot be read; it is tried again');
        void sleep(clock, READ_AGAIN_MS).then(() => schedule(lane));
      },
    );
  }

  function itemsOf(id: number, { rows, bytes }: Fetched): Item[] {
    const items: Item[] = [];
    const { queue, lane } = lanesById.get(id) as { queue: string; lane: Lane };
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

  function deliver(lane: OpenLane, taker: Taker<Item>, item: Item, hand: (delivery: Delivery) => void): void {
    lane.inHand += 1;
    const delivery = new EmbeddedDelivery(item.job, item.lost, item.place, settling, {
      hold(isHeld) {
        taker.held += isHeld ? 1 : -1;
        if (!isHeld) schedule(lane);
      },
      gone() {
        lane.inHand -= 1;
      },
      takeBack() {
        lane.inHand -= 1;
        lane.line.putBack(item);
        schedule(lane);
      },
    });
    try {
      hand(delivery);
    } catch (error) {
      log.error({ err: error, job: item.job.id }, 'a delivery callback threw');
    }
  }

  function attach(lane: OpenLane, taker: Taker<Item>): void {
    lane.line.add(taker);
    schedule(lane);
  }

  return {
    open(id, queue, lane) {
      const line = createLaneLine<Item>(id * PLACES_PER_LANE);
      const opened = { id, queue, lane, line, inHand: 0, isScheduled: false };
      lanes.set(`${queue}.${lane}`, opened);
      lanesById.set(id, opened);
      for (const { source, taker } of early)
        if (source.queue === queue && source.lane === lane) attach(opened, taker);
    },
    consume(source, hand) {
      const key = `${source.queue}.${source.lane}`;
      const taker: Taker<Item> = {
        prefetch: source.prefetch,
        held: 0,
        take(item) {
          deliver(lanes.get(key) as OpenLane, taker, item, hand);
        },
      };
      const lane = lanes.get(key);
      if (lane === undefined) early.push({ source, taker });
      else attach(lane, taker);
      return {
        async cancel() {
          const at = early.findIndex((one) => one.taker === taker);
          if (at >= 0) early.splice(at, 1);
          lanes.get(key)?.line.remove(taker);
        },
      };
    },
    hasNews(id) {
      const lane = lanesById.get(id);
      if (lane === undefined) return;
      lane.line.hasNews();
      schedule(lane);
    },
    read,
    inHand: (id) => lanesById.get(id)?.inHand ?? 0,
    consumers: (id) => lanesById.get(id)?.line.takers.length ?? 0,
    undecodable: () => undecodable,
  };
}
