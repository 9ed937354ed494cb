/** An auditor, a recorder and an upkeep on a real store, with the broker's counts given. */
import type { RawBuilder } from 'kysely';
import { StoreRefused } from '../../../src/job/errors.js';
import type { EventBatch } from '../../../src/job/event.js';
import { encodeBatch } from '../../../src/job/event-codec.js';
import { createAuditor, type Inspected } from '../../../src/recorder/auditor.js';
import { createRecorder } from '../../../src/recorder/recorder.js';
import { createUpkeep } from '../../../src/recorder/upkeep.js';
import { createLog } from '../../../src/runtime/log.js';
import { createAuditReader } from '../../../src/store/audit.js';
import { createLedgers } from '../../../src/store/ledgers.js';
import { createRetention } from '../../../src/store/retention.js';
import { createManualClock } from '../../support/manual-clock.js';
import { batchOf } from './events.js';
import { createFakeChannel } from './fake-channel.js';
import type { Stores } from './stores.js';

const log = createLog('silent');
/** When the first job was accepted, in ms since the epoch; the clock begins ten seconds later. */
export const START_MS = Date.UTC(2026, 0, 1);

export async function openAuditBench(stores: Stores, isRefused?: (ids: readonly string[]) => boolean) {
  const store = await stores.open();
  const clock = createManualClock(START_MS + 10_000);
  const channel = createFakeChannel();
  const picky: typeof store.records = {
    quarantine: (item) => store.records.quarantine(item),
    record(recording) {
      if (isRefused?.(recording.rows.map(({ id }) => id))) throw new StoreRefused('not this one');
      return store.records.record(recording);
    },
  };
  const records = isRefused === undefined ? store.records : picky;
  const recorder = createRecorder({ channel, store: { kind: store.kind, records }, clock, log });
  await recorder.start();
  const broker = { ready: 0, delayed: 0, suspects: 0, deadLetters: 0, events: 0, isAway: false };
  const auditor = createAuditor({
    audit: createAuditReader(store.sql),
    broker: {
      async inspect(): Promise<Inspected> {
        if (broker.isAway) throw new Error('away');
        const { ready, suspects, ...rest } = broker;
        return {
          ...rest,
          lanes: [{ queue: 'default', lane: 'normal', ready, consumers: 1 }],
          suspects: [{ queue: 'default', ready: suspects }],
        };
      },
    },
    clock,
  });
  const retention = createRetention(store.sql);
  const upkeep = createUpkeep({
    ledgers: createLedgers(store.sql),
    retention,
    idempotency: store.idempotency,
    ageMs: 86_400_000,
    deadAgeMs: 86_400_000,
    jobs: 1_000,
    clock,
    log,
  });
  const seqs = new Map<string, number>();
  let offered = 0;

  async function tell(
    batch: EventBatch,
    { filled }: { filled?: readonly [string, number, number] } = {},
  ): Promise<void> {
    if (filled !== undefined) {
      const [source, first, last] = filled;
      for (let seq = first; seq <= last; seq++) await tell(batchOf(source, seq, []));
    }
    seqs.set(batch.source, Math.max(seqs.get(batch.source) ?? 0, batch.seq));
    channel.offer(encodeBatch(batch));
    offered += 1;
    await channel.untilAcked(offered);
  }

  return {
    store,
    clock,
    broker,
    retention,
    upkeep,
    tell,
    report: () => auditor.report(),
    /** 15 s later, every source has sent an empty batch. */
    async signsOfLife(): Promise<void> {
      await clock.advance(15_000);
      for (const [source, seq] of [...seqs]) await tell(batchOf(source, seq + 1, []));
    },
    async change(statement: RawBuilder<unknown>): Promise<void> {
      await store.sql.write([statement.compile(store.sql.build)]);
    },
  };
}
