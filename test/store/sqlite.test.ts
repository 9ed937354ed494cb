import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock as clock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import { createSqliteStore } from '../../src/store/sqlite.js';
import { exerciseStore } from './conformance.js';

exerciseStore('SQLite, shared by processes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-store-'));
  return {
    make: () => createSqliteStore({ folder, clock, log: createLog('silent'), failed() {} }),
    async remove() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
});
