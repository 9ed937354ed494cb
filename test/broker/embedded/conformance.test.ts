import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { schema } from '../../../src/broker/embedded/schema.js';
import { operationsUrl } from '../../../src/broker/embedded/storage.js';
import { testModule, testSchema } from '../../runtime/sqlite-test-schema.js';
import { exerciseBroker } from '../conformance.js';
import { exerciseAlarms } from '../conformance-alarms.js';
import type { AlarmBench, Bench } from '../conformance-bench.js';
import { makeJob } from '../inbox.js';
import { createEmbeddedBench } from './bench.js';

async function openBench(): Promise<Bench> {
  const bench = createEmbeddedBench(['default', 'other']);
  return {
    ...bench,
    async plant(broker, body) {
      const job = makeJob({ body });
      await broker.publish(job);
      const db = new Sqlite(join(bench.folder, 'sluice.db'));
      db.prepare(`UPDATE jobs SET headers = '{"mine":1,"sluice-attempt":"many"}' WHERE id = ?`).run(job.id);
      db.close();
    },
  };
}

async function openAlarmBench(): Promise<AlarmBench> {
  const bench = createEmbeddedBench(['default', 'other'], {
    modules: [operationsUrl, testModule],
    schemas: { engine: [...schema, ...testSchema] },
  });
  return {
    ...bench,
    // The file may not grow: as a full disk, without filling one.
    async setAlarm(broker, isRaised) {
      await bench.threadOf(broker).run('test.pragma', `max_page_count = ${isRaised ? 1 : 1_000_000}`);
    },
  };
}

exerciseBroker('The built-in engine', openBench, {
  countsOnlyStarted: true,
  keepsAcks: true,
  keepsPlaces: true,
});
exerciseAlarms('The built-in engine', openAlarmBench);
