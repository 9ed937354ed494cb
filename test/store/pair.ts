/** What the parts of the conformance suite work on. */
import type { SqlStore } from '../../src/store/sql-store.js';

export interface StorePair {
  /** Empty before each test. */
  readonly store: SqlStore;
  /** A second one on the same data. */
  readonly other: SqlStore;
}

const tables = [
  'sluice_jobs',
  'sluice_attempts',
  'sluice_payloads',
  'sluice_sources',
  'sluice_source_batches',
  'sluice_flow',
  'sluice_quarantine',
  'sluice_remade',
  'sluice_cancels',
  'sluice_queue_orders',
  'sluice_idempotency_keys',
  'sluice_redrives',
  'sluice_redrive_runs',
] as const;

export async function clear({ sql }: SqlStore): Promise<void> {
  await sql.write(tables.map((table) => sql.build.deleteFrom(table).compile()));
}
