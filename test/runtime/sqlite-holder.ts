/** A process that opens the folder of its first argument, by default alone, says so, and holds it until it is killed. */
import { systemClock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import type { SqliteUse } from '../../src/runtime/sqlite-messages.js';
import { createSqliteThread } from '../../src/runtime/sqlite-thread.js';
import { testModule, testSchema } from './sqlite-test-schema.js';

const use = (process.argv[3] ?? 'alone') as SqliteUse;
const thread = createSqliteThread({
  folder: process.argv[2] ?? '',
  use,
  schemas: use === 'alone' ? { engine: testSchema } : { notes: testSchema },
  modules: [testModule],
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
