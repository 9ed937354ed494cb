/** The stock of the built-in engine: read in the order of delivery, removed once it is elsewhere, and taken in from elsewhere. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Invalid, Undecodable } from '../../job/errors.js';
import { type Lane, lanes } from '../../job/job.js';
import type { Death } from '../../job/outcome.js';
import type { Clock } from '../../runtime/clock.js';
import type { SqliteThread } from '../../runtime/sqlite-thread.js';
import type { DeadLetter, Parcel, Stock, StockSource, StockTarget } from '../stock.js';
import { CONTENT_TYPE, envelopeOf, failureText, letterOf } from './letters.js';
import type { Opened, Opening } from './recovery.js';
import { readStarted } from './started.js';
import type {
  PutDead,
  PutJob,
  Read,
  Remove,
  StockCount,
  StockRow,
  StockRows,
  Table,
} from './stock-operations.js';
import { tables } from './stock-operations.js';
import { portError } from './storage.js';
import { jobOf, storedOf } from './stored.js';

/** The module that its thread has to load, and the only one it needs. */
export const stockOperationsUrl: string = new URL(
  import.meta.url.endsWith('.ts') ? './stock-operations.ts' : './stock-operations.js',
  import.meta.url,
).href;

export interface EmbeddedStockOptions {
  /** Holds the file; started and stopped by the stock. */
  readonly thread: SqliteThread;
  readonly dataDir: string;
  readonly clock: Clock;
}

const IN_HAND = 256;

export function createEmbeddedSource({ thread, dataDir, clock }: EmbeddedStockOptions): StockSource {
  const store = createStore(thread);
  let lanesById: Opened['lanes'] = [];

  function parcelOf(table: Table, row: StockRow, body: Buffer): Parcel {
    if (row.death !== undefined) return { kind: 'dead', letter: letterOf(row, row.death, body) };
    const [, queue = '', lane = 'normal'] = lanesById.find(([id]) => id === row.lane) ?? [];
    try {
      const columns = [row.key, row.id, row.type, row.headers, 0, row.length] as const;
      return { kind: kinds[table], job: jobOf(columns, body, queue, lane as Lane) } as Parcel;
    } catch (error) {
      if (!(error instanceof Undecodable)) throw error;
      const failure = { name: error.name, message: error.message, code: error.code };
      const death: Death = { reason: 'undecodable', failure, atMs: clock.now() };
      return { kind: 'dead', letter: { ...envelopeOf(row, body), queue, lane, death } };
    }
  }

  async function drainTable(table: Table, put: (parcel: Parcel) => Promise<void>, signal: AbortSignal) {
    let next = store.read([table, 0, 0, IN_HAND]);
    for (;;) {
      const { rows, bytes } = await next;
      const last = rows.at(-1);
      if (last === undefined || signal.aborted) return;
      next = store.read([table, last.due, last.key, IN_HAND]);
      next.catch(() => {}); // Awaited after these are through.
      let at = 0;
      const ends = await Promise.allSettled(
        rows.map(async (row) => {
          const body = Buffer.from(bytes, at, row.length);
          at += row.length;
          await put(parcelOf(table, row, body));
          await store.remove([table, row.key]);
        }),
      );
      const failed = ends.find((end) => end.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    }
  }

  return {
    async start() {
      lanesById = (await open(thread, dataDir, { lanes: [], nowMs: clock.now() })).lanes;
    },
    stop: () => thread.stop(),
    count: async () => stockOf(await store.count()),
    async drain(put, signal) {
      for (const table of tables) if (!signal.aborted) await drainTable(table, put, signal);
    },
  };
}

export function createEmbeddedTarget(
  options: EmbeddedStockOptions & { readonly queues: readonly string[] },
): StockTarget {
  const { thread, dataDir, clock } = options;
  const store = createStore(thread);
  const laneIds = new Map<string, number>();

  return {
    async start() {
      const wanted = options.queues.flatMap((queue) => lanes.map((lane) => [queue, lane] as const));
      const opened = await open(thread, dataDir, { lanes: wanted, nowMs: clock.now() });
      for (const [id, queue, lane] of opened.lanes)
        if (options.queues.includes(queue)) laneIds.set(`${queue}.${lane}`, id);
    },
    stop: () => thread.stop(),
    async put(parcel) {
      if (parcel.kind === 'dead') {
        const { queue, lane, body, death } = parcel.letter;
        const letter = [textOf(parcel.letter.messageId), textOf(parcel.letter.type)] as const;
        const headers = headersText(parcel.letter);
        await store.putDead(
          [
            [...letter, headers],
            [queue, lane, death.reason, failureText(death), death.atMs],
          ],
          body,
        );
        return;
      }
      const { kind, job } = parcel;
      const lane = laneIds.get(`${job.queue}.${job.lane}`);
      if (lane === undefined) throw new Invalid('unknown_queue', `there is no queue ${job.queue}`);
      const isDelayed = kind !== 'suspect' && job.dueAtMs > clock.now();
      const table = kind === 'suspect' ? 'suspects' : isDelayed ? 'delayed' : 'jobs';
      await store.put([table, lane, isDelayed ? job.dueAtMs : 0, storedOf(job)], job.body);
    },
  };
}

const kinds: Readonly<Record<Table, Parcel['kind']>> = {
  jobs: 'waiting',
  suspects: 'suspect',
  delayed: 'delayed',
  dead: 'dead',
};

/** Jobs that ran when the last process ended are charged with it, as at a start of the engine. */
async function open(
  thread: SqliteThread,
  dataDir: string,
  opening: Omit<Opening, 'started'>,
): Promise<Opened> {
  const startedFile = join(dataDir, 'sluice.started');
  try {
    await thread.start();
    const started = readStarted(startedFile);
    const opened = await thread.run('stock.open', { ...opening, started } satisfies Opening);
    rmSync(startedFile, { force: true });
    return opened as Opened;
  } catch (error) {
    throw portError(error);
  }
}

function createStore(thread: SqliteThread) {
  const run = async (operation: string, argument: unknown, bytes?: Buffer): Promise<unknown> => {
    try {
      return await thread.run(operation, argument, bytes);
    } catch (error) {
      throw portError(error);
    }
  };
  return {
    count: () => run('stock.count', undefined) as Promise<StockCount>,
    read: (read: Read) => run('stock.read', read) as Promise<StockRows>,
    remove: (remove: Remove) => run('stock.remove', remove) as Promise<void>,
    put: (put: PutJob, body: Buffer) => run('stock.put', put, body) as Promise<void>,
    putDead: (put: PutDead, body: Buffer) => run('stock.putDead', put, body) as Promise<void>,
  };
}

function stockOf({ lanes: rows, dead }: StockCount): Stock {
  const sum = (at: 1 | 2 | 3): number => rows.reduce((total, row) => total + row[at], 0);
  const occupied = rows.filter(([, jobs, delayed, suspects]) => jobs + delayed + suspects > 0);
  return {
    counts: { waiting: sum(1), delayed: sum(2), suspect: sum(3), dead },
    queues: [...new Set(occupied.map(([queue]) => queue))],
    consumers: 0,
  };
}

/** The headers of what is no job are anybody's; bytes among them are kept as Node writes them into JSON. */
function headersText({ headers, contentType }: DeadLetter): string | null {
  const kept = contentType === undefined ? headers : { ...headers, [CONTENT_TYPE]: contentType };
  return Object.keys(kept).length === 0 ? null : JSON.stringify(kept);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
