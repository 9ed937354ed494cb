/** The stock of the built-in engine in a folder of its own. */
import {
  createEmbeddedSource,
  createEmbeddedTarget,
  stockOperationsUrl,
} from '../../../src/broker/embedded/stock.js';
import { systemClock as clock } from '../../../src/runtime/clock.js';
import type { StockBench } from '../stock.js';
import { createEmbeddedBench, makeThread } from './bench.js';

const queues = ['default', 'other'];

export function openEmbeddedStock(): StockBench & { readonly folder: string } {
  const { folder, ...bench } = createEmbeddedBench(queues);
  const options = () => ({
    thread: makeThread(folder, { modules: [stockOperationsUrl] }),
    dataDir: folder,
    clock,
  });
  return {
    folder,
    open: () => bench.open(),
    stop: bench.stop,
    source: () => createEmbeddedSource(options()),
    target: () => createEmbeddedTarget({ ...options(), queues }),
    close: bench.close,
  };
}
