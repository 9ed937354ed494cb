/**
 * The built-in engine: one process, one SQLite file. The file holds what waits, memory what is in hand; so a kill loses
 * nothing accepted, and a delivery costs no write.
 */

import { join } from 'node:path';
import { Invalid, Unavailable } from '../../job/errors.js';
import { type Job, type Lane, lanes } from '../../job/job.js';
import { longestDelayMs } from '../../job/retry.js';
import { type Clock, sleep } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import type { SqliteThread } from '../../runtime/sqlite-thread.js';
import type { Broker, BrokerStats, Inspection } from '../broker.js';
import type { Settling } from './delivery.js';
import { createDispatch } from './dispatch.js';
import { createDue } from './due.js';
import { createEvents } from './events.js';
import { failureText } from './letters.js';
import type { Counted, Publish } from './operations.js';
import { createOutbox } from './outbox.js';
import type { Placing } from './places.js';
import type { Opened } from './recovery.js';
import { createStarted, readStarted, type Started } from './started.js';
import { createStorage, portError } from './storage.js';
import { storedOf } from './stored.js';
import { createSuspects } from './suspects.js';

export interface EmbeddedBrokerOptions {
  /** Holds the file. Started before the broker, and stopped after it. */
  readonly thread: SqliteThread;
  readonly dataDir: string;
  /** The closed set of queues. */
  readonly queues: readonly string[];
  /** Twice as many publishes may wait for the disk. */
  readonly window: number;
  readonly publishTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Told the seconds that each publish took. */
  readonly confirmed: (seconds: number) => void;
}

const FLUSH_TIMEOUT_MS = 5_000;
/** Well below the time for which a full disk holds back publishes, so that settles go without them. */
const ROOM_AFTER_MS = 250;

export function createEmbeddedBroker(options: EmbeddedBrokerOptions): Broker {
  const { thread, queues, clock, log } = options;
  const startedFile = join(options.dataDir, 'sluice.started');
  const storage = createStorage(thread, clock, () => events.foundFull());
  const outbox = createOutbox({
    window: options.window,
    timeoutMs: options.publishTimeoutMs,
    clock,
    confirmed: options.confirmed,
  });
  const laneIds = new Map<string, number>();
  const over = new AbortController();
  let started: Started | undefined;
  let settles = 0;
  let settled = (): void => {};

  const settling: Settling = {
    isOver: () => over.signal.aborted,
    begin: (place) => started?.begin(place) ?? 0,
    end: (slot) => started?.end(slot),
    ack: (place) => storage.ack(place),
    async retry(place, next) {
      const publish = publishOf(next);
      await bring(publish, next, () => storage.retry([place, publish], next.body));
    },
    async bury(place, death) {
      await storage.bury([place, death.reason, failureText(death), death.atMs]);
      events.hasDead();
    },
    untilRoom: () => sleep(clock, ROOM_AFTER_MS, over.signal),
    settling(change) {
      settles += change;
      if (settles === 0) settled();
    },
  };
  const dispatch = createDispatch({ storage, settling, clock, log });
  const suspects = createSuspects(storage, settling, dispatch.read);
  const isUp = (): boolean => started !== undefined && !over.signal.aborted;
  const events = createEvents({ storage, keeper: settling, isUp, clock, log });
  const due = createDue({ storage, clock, log, hasNews: dispatch.hasNews });

  /** @throws Unavailable  no such queue */
  function publishOf(job: Job): Publish {
    const lane = laneIds.get(`${job.queue}.${job.lane}`);
    if (lane === undefined) throw new Unavailable(`there is no queue ${job.queue}: add it to QUEUES`);
    return [lane, job.dueAtMs > clock.now() ? job.dueAtMs : 0, storedOf(job)];
  }

  /**
   * Handed out as soon as it is on the disk, as a job in memory where nothing waits before it. Else it is read behind its write, in the same
   * batch when nothing else is on its way: read afterwards, it would wait for the disk a second time, behind its own event. So `hasNews` comes
   * first, as it reads at the end of this turn, where a batch leaves as well; `write` must queue within this turn, so that the read cannot
   * come before it.
   */
  async function bring(
    [lane, dueAtMs]: Publish,
    job: Job,
    write: () => Promise<Placing | undefined>,
  ): Promise<void> {
    const isDelayed = dueAtMs !== 0;
    const isNext = !isDelayed && dispatch.isAtEnd(lane);
    if (!isDelayed && !isNext) dispatch.hasNews(lane);
    try {
      const placing = await write();
      if (isDelayed) due.at(dueAtMs);
      else if (isNext && placing !== undefined) dispatch.wasStored(lane, placing, job);
    } catch (error) {
      if (isNext) dispatch.hasNews(lane); // It may have been stored all the same.
      throw error;
    }
  }

  async function store(publish: Publish, job: Job): Promise<void> {
    try {
      await bring(publish, job, () => storage.publish(publish, job.body));
    } catch (error) {
      throw portError(error);
    }
  }

  async function open(): Promise<void> {
    try {
      const wanted = queues.flatMap((queue) => lanes.map((lane) => [queue, lane] as const));
      const opened = await storage.open({
        lanes: wanted,
        started: readStarted(startedFile),
        nowMs: clock.now(),
      });
      if (over.signal.aborted) return;
      started = createStarted(startedFile, opened.epoch, log);
      report(opened);
      for (const [id, queue, lane] of opened.lanes) {
        if (!queues.includes(queue)) continue;
        laneIds.set(`${queue}.${lane}`, id);
        suspects.open(id, queue, lane as Lane);
        dispatch.open(id, queue, lane as Lane);
      }
      events.open();
      if (opened.nextDueMs !== null) due.at(opened.nextDueMs);
    } catch (error) {
      throw portError(error);
    }
  }

  function report({ suspected, buried, strangers }: Opened): void {
    for (const job of suspected) log.warn({ job }, 'lost with its process too often; moved to the suspects');
    for (const job of buried)
      log.warn({ job }, 'lost with its process as a suspect, too; moved to the dead letters');
    if (strangers.length > 0)
      log.warn(
        { queues: strangers },
        'jobs wait in queues that nobody works on; name these in QUEUES to have them done',
      );
  }

  async function close(): Promise<void> {
    due.stop();
    await outbox.close(FLUSH_TIMEOUT_MS);
    let cancel = (): void => {};
    if (settles > 0) {
      await new Promise<void>((resolve) => {
        settled = resolve;
        cancel = clock.after(FLUSH_TIMEOUT_MS, resolve);
      });
    }
    cancel();
    over.abort();
    events.stop();
    // Asked after all else: its answer says that the file has taken everything, and this was no crash.
    const answered = storage.count().then(
      () => true,
      () => false,
    );
    const late = new AbortController();
    const silent = sleep(clock, FLUSH_TIMEOUT_MS, late.signal).then(() => false); // The disk may stand still.
    if (await Promise.race([answered, silent])) started?.remove();
    else started?.abandon();
    late.abort();
  }

  function inspectionOf({ lanes: rows, dead, batches }: Counted): Inspection {
    const byId = new Map(rows.map((row) => [row[0], row]));
    const of = (queue: string, lane: Lane): Counted['lanes'][number] =>
      byId.get(laneIds.get(`${queue}.${lane}`) ?? 0) ?? [0, 0, 0, 0];
    return {
      lanes: queues.flatMap((queue) =>
        lanes.map((lane) => {
          const [id, jobs] = of(queue, lane);
          return {
            queue,
            lane,
            ready: Math.max(0, jobs - dispatch.inHand(id)),
            consumers: dispatch.consumers(id),
          };
        }),
      ),
      suspects: queues.map((queue) => {
        const all = lanes.reduce((sum, lane) => sum + of(queue, lane)[3], 0);
        return { queue, ready: Math.max(0, all - suspects.inHand(queue)) };
      }),
      delayed: rows.reduce((sum, [, , delayed]) => sum + delayed, 0),
      deadLetters: Math.max(0, dead - events.deadInHand()),
      events: Math.max(0, batches - events.batchesInHand()),
    };
  }

  const stats: BrokerStats = {
    get isUp() {
      return isUp();
    },
    get isBlocked() {
      return storage.isFull();
    },
    reconnects: 0,
    get unconfirmed() {
      return outbox.size();
    },
    get undecodable() {
      return dispatch.undecodable();
    },
  };
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;

  return {
    durability: 'disk',
    stats,
    events: events.channel,
    start() {
      starting ??= stopping === undefined ? open() : Promise.resolve();
      return starting;
    },
    stop() {
      stopping ??= Promise.resolve(starting)
        .catch(() => {})
        .then(close);
      return stopping;
    },
    async publish(job) {
      if (!isUp()) throw new Unavailable('the engine is not running');
      if (storage.isFull()) throw new Unavailable(storage.fault() ?? 'the disk is full');
      if (job.dueAtMs - clock.now() > longestDelayMs)
        throw new Invalid('invalid_job', `a job can be delayed by at most ${longestDelayMs} ms (310 days)`);
      const publish = publishOf(job);
      return outbox.send(job.body.length, () => store(publish, job));
    },
    consume: async (source, deliver) => dispatch.consume(source, deliver),
    async takeSuspect(asked) {
      if (!isUp()) throw new Unavailable('the engine is not running');
      try {
        return await suspects.take(asked);
      } catch (error) {
        throw portError(error);
      }
    },
    async inspect() {
      if (!isUp()) throw new Unavailable('the engine is not running');
      try {
        return inspectionOf(await storage.count());
      } catch (error) {
        throw portError(error);
      }
    },
    health() {
      if (!isUp()) return { ok: false, reason: 'the engine is not running' };
      const fault = storage.fault();
      return fault === undefined ? { ok: true } : { ok: false, reason: fault };
    },
  };
}
