import { systemClock as clock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import { createPostgresStore } from '../../src/store/postgres.js';
import { freshDatabase } from '../support/postgres.js';
import { exerciseStore } from './conformance.js';

exerciseStore('PostgreSQL', async () => {
  const url = await freshDatabase();
  return {
    make: () => createPostgresStore({ url, clock, log: createLog('silent') }),
    async remove() {},
  };
});
