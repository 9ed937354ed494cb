/** Recorders on a real broker and a real database: the whole way from the queue of batches to a clean audit. */
import { expect } from 'chai';
import { encodeBatch } from '../../src/job/event-codec.js';
import { createAuditor } from '../../src/recorder/auditor.js';
import { createRecorder, type Recorder } from '../../src/recorder/recorder.js';
import { systemClock as clock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import { createAuditReader } from '../../src/store/audit.js';
import { createRabbitBench } from '../broker/rabbitmq/bench.js';
import { eventually } from '../support/eventually.js';
import { accepted, batchOf, sourceId, succeeded } from './support/events.js';
import { postgresStores } from './support/stores.js';

const log = createLog('silent');
const [serve, work] = [sourceId('a'), sourceId('b')];

describe('recorders on RabbitMQ and PostgreSQL', () => {
  const stores = postgresStores();
  const rabbit = createRabbitBench(process.env['TEST_AMQP_URL'] ?? '');
  after(async () => {
    await rabbit.close();
    await stores.close();
  });

  it('record every event once, two at a time, though one ends in the middle and batches come twice', async () => {
    const broker = await rabbit.open();
    const store = await stores.open();
    const jobs = 2_000;
    const size = 10;
    const sent: Promise<void>[] = [];
    for (let from = 0; from < jobs; from += size) {
      const numbers = Array.from({ length: size }, (_, i) => from + i + 1);
      const seq = from / size + 1;
      const told = encodeBatch(
        batchOf(
          serve,
          seq,
          numbers.map((n) => accepted(n)),
        ),
      );
      const ended = encodeBatch(
        batchOf(
          work,
          seq,
          numbers.map((n) => succeeded(n)),
        ),
      );
      for (const batch of seq % 7 === 0 ? [ended, told, told] : [told, ended])
        sent.push(broker.events.publish(batch).done);
    }
    const one = await recorderOn(await rabbit.open(), store);
    const two = await recorderOn(await rabbit.open(), await stores.open(store));
    await one.stop();
    await Promise.all(sent);
    const audit = createAuditReader(store.sql);
    const auditor = createAuditor({ audit, broker, clock });
    // The broker cannot be told to say when a queue is empty.
    await eventually(async () => (await broker.inspect()).events === 0 && two.stats.held === 0);
    const report = await auditor.report();
    expect(report.accepted).to.deep.equal({ told: jobs, again: 0, implied: 0 });
    expect(report.states['succeeded']).to.deep.equal({ rows: jobs, deleted: 0 });
    expect([report.verdict, report.unaccounted, report.findings]).to.deep.equal(['clean', 0, []]);
    await two.stop();
  });
});

async function recorderOn(
  broker: { readonly events: Parameters<typeof createRecorder>[0]['channel'] },
  store: Parameters<typeof createRecorder>[0]['store'],
): Promise<Recorder> {
  const recorder = createRecorder({ channel: broker.events, store, clock, log });
  await recorder.start();
  return recorder;
}
