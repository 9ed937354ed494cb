/** What the store counts, as metrics. */
import { expect } from 'chai';
import { Registry } from 'prom-client';
import type { QueueView } from '../../src/api/queues.js';
import { createReadSideMetrics, type ReadSide } from '../../src/observe/read-side.js';
import { createLog } from '../../src/runtime/log.js';
import { createKeptLog } from '../events/support/log.js';

const view: QueueView = {
  name: 'default',
  depth: { high: 0, normal: 2, low: 0, total: 2 },
  scheduled: 5,
  active: 1,
  dead: 0,
  consumers: 3,
  oldestAgeMs: 1_500,
  acceptedPerSecond: 1,
  drainedPerSecond: 2,
  forecast: { state: 'draining', emptyInMs: 3_000, emptyAt: '2026-01-01T00:00:03.000Z' },
  isPaused: false,
  concurrency: null,
};
const whole: ReadSide = {
  queues: async () => [view],
  rows: async () => 7,
  unaccounted: async () => 0,
};

async function scrape(readSide: Partial<ReadSide>): Promise<string[]> {
  const registry = new Registry();
  const log = createLog('silent');
  const metrics = createReadSideMetrics({ ...whole, ...readSide, registry, timeoutMs: 20, log });
  await metrics.refresh();
  const text = await registry.metrics();
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

const ofQueue = [
  'sluice_jobs_delayed{queue="default"} 5',
  'sluice_queue_oldest_age_seconds{queue="default"} 1.5',
  'sluice_queue_drain_seconds{queue="default"} 3',
];

describe('the metrics of the store', () => {
  it('tell what waits for its time, how old it is, when it is gone, and what is lost', async () => {
    expect(await scrape({})).to.deep.equal([...ofQueue, 'sluice_store_rows 7', 'sluice_jobs_unaccounted 0']);
  });

  it('are +Inf where there is no telling when the backlog is gone', async () => {
    const growing = { ...view, forecast: { state: 'growing', emptyInMs: null, emptyAt: null } } as const;
    expect(await scrape({ queues: async () => [growing] })).to.include(
      'sluice_queue_drain_seconds{queue="default"} +Inf',
    );
  });

  it('are left out, not zero, where the store does not answer; one that fails takes no other along', async () => {
    const fails = (): Promise<never> => Promise.reject(new Error('away'));
    const hangs = (): Promise<never> => new Promise(() => {});
    expect(await scrape({ unaccounted: fails })).to.deep.equal([...ofQueue, 'sluice_store_rows 7']);
    expect(await scrape({ queues: hangs })).to.deep.equal([
      'sluice_store_rows 7',
      'sluice_jobs_unaccounted 0',
    ]);
    expect(await scrape({ rows: fails, unaccounted: fails })).to.deep.equal(ofQueue);
  });

  it('say once why they are left out, and again for another reason', async () => {
    const log = createKeptLog();
    let reason: string | undefined = 'the database is away';
    const unaccounted = async (): Promise<number> => {
      if (reason !== undefined) throw new Error(reason);
      return 0;
    };
    const registry = new Registry();
    const metrics = createReadSideMetrics({ ...whole, unaccounted, registry, timeoutMs: 1_000, log });
    const shown = async (): Promise<boolean> => {
      await metrics.refresh();
      return (await registry.metrics()).includes('\nsluice_jobs_unaccounted 0');
    };
    expect([await shown(), await shown()]).to.deep.equal([false, false]);
    expect(log.warnings).to.have.length(1);
    expect(log.warnings[0]).to.contain('audit').and.to.contain('left out');
    reason = undefined;
    expect(await shown()).to.equal(true);
    reason = 'the database is away';
    expect([await shown(), await shown()]).to.deep.equal([false, false]);
    reason = 'it is too slow';
    await shown();
    expect(log.warnings).to.have.length(3);
  });
});
