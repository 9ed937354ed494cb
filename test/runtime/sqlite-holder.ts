/** A process that opens the folder of its first argument, says so, and holds it until it is killed. */
import { systemClock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import { createSqliteThread } from '../../src/runtime/sqlite-thread.js';
import { testSchema } from './sqlite-test-module.js';

const thread = createSqliteThread({
  folder: process.argv[2] ?? '',
  schemas: { engine: testSchema },
  modules: [new URL('./sqlite-test-module.ts', import.meta.url).href],
  clock: systemClock,
  log: createLog('silent'),
  failed() {},
});
await thread.start().then(
  async () => {
    await thread.run('test.add', 'held', Buffer.alloc(0));
    process.stdout.write('open\n');
  },
  (error: Error) => process.stdout.write(`refused: ${error.message}\n`),
);
