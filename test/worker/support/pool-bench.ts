/** What worker tests share: jobs, handlers whose end a test decides, and a pool on a scripted broker and a manual clock. */
import { v7 } from 'uuid';
import type { Handler, HandlerContext, HandlerJob } from '../../../src/handler/define.js';
import type { Job } from '../../../src/job/job.js';
import type { Log } from '../../../src/runtime/log.js';
import type { JobObserver } from '../../../src/worker/observer.js';
import { createPool, type Pool, type PoolOptions } from '../../../src/worker/pool.js';
import { createManualClock, type ManualClock } from '../../support/manual-clock.js';
import { createEventBook, type EventBook } from './event-book.js';
import { createRegisters, type Registers } from './registers.js';
import { createScriptedBroker, type ScriptedBroker } from './scripted-broker.js';

export function jobOf(fields: Partial<Job> & { readonly payload?: unknown } = {}): Job {
  const { payload = null, ...rest } = fields;
  return {
    id: v7(),
    type: 'work',
    queue: 'default',
    lane: 'normal',
    body: Buffer.from(JSON.stringify(payload)),
    run: 1,
    attempt: 1,
    dueAtMs: 1_700_000_000_000,
    ...rest,
  };
}

/** One call of a handler, whose end the test decides. */
export interface Call {
  readonly job: HandlerJob;
  readonly context: HandlerContext;
  resolve(value?: unknown): void;
  reject(thrown: unknown): void;
}

export interface Script {
  readonly handler: Handler;
  /** Calls in the order they began. */
  readonly calls: readonly Call[];
  /** The call number `index`, once it has begun. */
  call(index: number): Promise<Call>;
}

/** A handler that goes on until the test ends it, whatever its signal says. */
export function scriptedHandler(fields: Partial<Handler> = {}): Script {
  const calls: Call[] = [];
  const waiting: { index: number; resolve: (call: Call) => void }[] = [];
  const handler: Handler = {
    type: 'work',
    payload: {},
    run(job: HandlerJob, context) {
      return new Promise((resolve, reject) => {
        const call = { job, context, resolve, reject };
        const index = calls.push(call) - 1;
        for (const one of waiting) if (one.index === index) one.resolve(call);
      });
    },
    ...fields,
  };
  return {
    handler,
    calls,
    call(index) {
      const call = calls[index];
      if (call !== undefined) return Promise.resolve(call);
      return new Promise((resolve) => waiting.push({ index, resolve }));
    },
  };
}

export interface LogLine {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export function createMemoryLog(): { readonly log: Log; readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const logWith = (bound: object): Log => {
    const at = (level: LogLine['level']) => (fields: object, message: string) => {
      lines.push({ level, fields: { ...bound, ...fields }, message });
    };
    return {
      error: at('error'),
      warn: at('warn'),
      info: at('info'),
      debug: at('debug'),
      child: (fields) => logWith({ ...bound, ...fields }),
    };
  };
  return { log: logWith({}), lines };
}

export interface Seen {
  readonly started: readonly (readonly [string, number])[];
  readonly settled: readonly (readonly [string, string, number])[];
  readonly redelivered: readonly string[];
}

export function createMemoryObserver(): { readonly observer: JobObserver; readonly seen: Seen } {
  const started: [string, number][] = [];
  const settled: [string, string, number][] = [];
  const redelivered: string[] = [];
  return {
    seen: { started, settled, redelivered },
    observer: {
      started: (job, waitMs) => started.push([job.id, waitMs]),
      settled: (job, outcome, durationMs) => settled.push([job.id, outcome, durationMs]),
      redelivered: (job) => redelivered.push(job.id),
    },
  };
}

export const defaults = { maxAttempts: 3, timeoutMs: 60_000, backoff: { baseMs: 1000, maxMs: 600_000 } };
export const graceMs = 25_000;

export interface Bench {
  readonly pool: Pool;
  readonly broker: ScriptedBroker;
  readonly clock: ManualClock;
  readonly lines: readonly LogLine[];
  readonly seen: Seen;
  readonly book: EventBook;
  readonly registers: Registers;
}

/** A pool with one queue `default` of two slots, unless told otherwise; not started. */
export function benchOf(handlers: readonly Handler[], options: Partial<PoolOptions> = {}): Bench {
  const clock = createManualClock();
  const broker = createScriptedBroker();
  const { log, lines } = createMemoryLog();
  const { observer, seen } = createMemoryObserver();
  const book = createEventBook();
  const registers = createRegisters();
  const pool = createPool({
    broker,
    registry: new Map(handlers.map((handler) => [handler.type, handler])),
    queues: [{ name: 'default', concurrency: 2 }],
    defaults,
    graceMs,
    log,
    clock,
    random: () => 0.5,
    observer,
    events: book,
    resultMaxBytes: 1000,
    readOrders: () => registers.read(),
    onAnnouncement: (listener) => registers.listen(listener),
    ...options,
  });
  return { pool, broker, clock, lines, seen, book, registers };
}
