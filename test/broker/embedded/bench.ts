/** Opens built-in engines on a folder of their own and removes it at the end. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Broker } from '../../../src/broker/broker.js';
import { createEmbeddedBroker, type EmbeddedBrokerOptions } from '../../../src/broker/embedded/broker.js';
import { schema } from '../../../src/broker/embedded/schema.js';
import { operationsUrl } from '../../../src/broker/embedded/storage.js';
import { systemClock } from '../../../src/runtime/clock.js';
import { createLog } from '../../../src/runtime/log.js';
import {
  createSqliteThread,
  type SqliteThread,
  type SqliteThreadOptions,
} from '../../../src/runtime/sqlite-thread.js';

export interface EmbeddedBench {
  readonly folder: string;
  /** A broker, not started; its thread starts with it. */
  make(options?: Partial<EmbeddedBrokerOptions>): Broker;
  /** A started broker. */
  open(options?: Partial<EmbeddedBrokerOptions>): Promise<Broker>;
  threadOf(broker: Broker): SqliteThread;
  /** Ends both in good order. */
  stop(broker: Broker): Promise<void>;
  /** Ends both as a kill would. */
  crash(broker: Broker): Promise<void>;
  close(): Promise<void>;
}

export function makeThread(folder: string, options: Partial<SqliteThreadOptions> = {}): SqliteThread {
  return createSqliteThread({
    folder,
    schemas: { engine: schema },
    modules: [operationsUrl],
    clock: systemClock,
    log: createLog('silent'),
    failed() {},
    ...options,
  });
}

export function createEmbeddedBench(
  queues: readonly string[] = ['default'],
  threadOptions: Partial<SqliteThreadOptions> = {},
): EmbeddedBench {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-embedded-'));
  const threads = new Map<Broker, SqliteThread>();
  const bench: EmbeddedBench = {
    folder,
    make(options = {}) {
      const thread = makeThread(folder, threadOptions);
      const made = createEmbeddedBroker({
        thread,
        dataDir: folder,
        queues,
        window: 4096,
        publishTimeoutMs: 10_000,
        clock: systemClock,
        log: createLog('silent'),
        confirmed() {},
        ...options,
      });
      const broker: Broker = {
        ...made,
        async start() {
          await thread.start();
          await made.start();
        },
      };
      threads.set(broker, thread);
      return broker;
    },
    async open(options) {
      const broker = bench.make(options);
      await broker.start();
      return broker;
    },
    threadOf: (broker) => threads.get(broker) as SqliteThread,
    async stop(broker) {
      await broker.stop();
      await bench.threadOf(broker).stop();
    },
    async crash(broker) {
      await bench.threadOf(broker).terminate();
      await broker.stop();
    },
    async close() {
      for (const broker of threads.keys()) await bench.stop(broker);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return bench;
}
