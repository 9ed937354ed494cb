/**
 * The tables as SQL, one step per version, for both databases: only the words for types differ. A step that was released is never
 * changed: append.
 *
 * What the indexes are for, each a part of the price of every row:
 * - jobs_by_state: lists by state; every state change moves an entry.
 * - jobs_open: counting what waits reads this index alone; without it every row, which with a million of them takes seconds.
 * - jobs_by_end: retention, and dead jobs in the order of their deaths; ended jobs only.
 * - jobs_by_group: the dead of one error group; dead jobs only.
 */
import type { Sql } from './sql.js';

const words = {
  sqlite: {
    big: 'INTEGER',
    int: 'INTEGER',
    float: 'REAL',
    key: 'TEXT',
    bytes: 'BLOB',
    serial: 'INTEGER PRIMARY KEY',
    end: 'STRICT',
  },
  // What is compared is compared byte by byte: pages and merges must not depend on the language of the database.
  postgres: {
    big: 'bigint',
    int: 'integer',
    float: 'double precision',
    key: 'text COLLATE "C"',
    bytes: 'bytea',
    serial: 'bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY',
    end: '',
  },
} as const;

/** What `counts` counts: written alike in the index and in the query, or the index is not used. */
export const openOrDead = "(finished_at_ms IS NULL OR state = 'dead')";

export function schemaOf(dialect: Sql['dialect']): readonly string[] {
  const { big, int, float, key, bytes, serial, end } = words[dialect];
  return [
    `
    CREATE TABLE sluice_jobs (
      id ${key} PRIMARY KEY,
      type ${key} NOT NULL,
      queue ${key} NOT NULL,
      lane TEXT NOT NULL,
      is_accepted ${int} NOT NULL,
      max_attempts ${int},
      expires_at_ms ${big},
      trace_id ${key},
      position ${big} NOT NULL,
      tie ${big} NOT NULL,
      state TEXT NOT NULL,
      run ${int} NOT NULL,
      attempt ${int} NOT NULL,
      due_at_ms ${big} NOT NULL,
      started_at_ms ${big},
      finished_at_ms ${big},
      result TEXT,
      result_cut_from ${big},
      reason TEXT,
      failure TEXT,
      error_group ${key},
      progress_position ${big} NOT NULL,
      percent ${float},
      note ${key},
      claimed_run ${int},
      claimed_until_ms ${big}
    ) ${end};
    CREATE INDEX sluice_jobs_by_state ON sluice_jobs (state, id);
    CREATE INDEX sluice_jobs_open ON sluice_jobs (state, queue, lane, due_at_ms) WHERE ${openOrDead};
    CREATE INDEX sluice_jobs_by_end ON sluice_jobs (state, finished_at_ms, id) WHERE finished_at_ms IS NOT NULL;
    CREATE INDEX sluice_jobs_by_group ON sluice_jobs (error_group, finished_at_ms, id) WHERE error_group IS NOT NULL;

    CREATE TABLE sluice_attempts (
      id ${key} NOT NULL,
      run ${int} NOT NULL,
      attempt ${int} NOT NULL,
      rank ${int} NOT NULL,
      tie ${big} NOT NULL,
      outcome TEXT NOT NULL,
      started_at_ms ${big},
      ended_at_ms ${big} NOT NULL,
      failure TEXT NOT NULL,
      PRIMARY KEY (id, run, attempt)
    ) ${end};

    CREATE TABLE sluice_payloads (
      id ${key} PRIMARY KEY,
      run ${int} NOT NULL,
      payload ${key} NOT NULL
    ) ${end};

    CREATE TABLE sluice_sources (
      source ${key} PRIMARY KEY,
      role TEXT NOT NULL,
      host TEXT NOT NULL,
      first_at_ms ${big} NOT NULL,
      last_at_ms ${big} NOT NULL,
      last_seq ${big} NOT NULL,
      held ${int} NOT NULL,
      has_ended ${int} NOT NULL,
      counted_through ${big} NOT NULL DEFAULT 0,
      accepted ${big} NOT NULL DEFAULT 0,
      accepted_again ${big} NOT NULL DEFAULT 0,
      gaps TEXT NOT NULL DEFAULT '[]',
      books_version TEXT NOT NULL DEFAULT ''
    ) ${end};

    CREATE TABLE sluice_source_batches (
      source ${key} NOT NULL,
      seq ${big} NOT NULL,
      accepted ${int} NOT NULL,
      accepted_again ${int} NOT NULL,
      PRIMARY KEY (source, seq)
    ) ${end};

    CREATE TABLE sluice_flow (
      bucket_ms ${big} NOT NULL,
      queue ${key} NOT NULL,
      accepted ${int} NOT NULL,
      succeeded ${int} NOT NULL,
      retried ${int} NOT NULL,
      dead ${int} NOT NULL,
      cancelled ${int} NOT NULL,
      PRIMARY KEY (bucket_ms, queue)
    ) ${end};

    CREATE TABLE sluice_totals (
      state TEXT PRIMARY KEY,
      count ${big} NOT NULL,
      accepted ${big} NOT NULL
    ) ${end};

    CREATE TABLE sluice_quarantine (
      id ${serial},
      origin TEXT NOT NULL,
      reason TEXT NOT NULL,
      raw ${bytes} NOT NULL,
      at_ms ${big} NOT NULL
    ) ${end};

    CREATE TABLE sluice_cancels (
      id ${key} NOT NULL,
      run ${int} NOT NULL,
      at_ms ${big} NOT NULL,
      PRIMARY KEY (id, run)
    ) ${end};

    CREATE TABLE sluice_queue_orders (
      queue ${key} PRIMARY KEY,
      is_paused ${int} NOT NULL,
      concurrency ${int},
      purged_through_ms ${big}
    ) ${end};

    CREATE TABLE sluice_idempotency_keys (
      owner ${key} NOT NULL,
      key ${key} NOT NULL,
      job_id ${key} NOT NULL,
      due_at_ms ${big} NOT NULL,
      body_hash TEXT NOT NULL,
      lease_until_ms ${big} NOT NULL,
      expires_at_ms ${big} NOT NULL,
      is_done ${int} NOT NULL,
      PRIMARY KEY (owner, key)
    ) ${end};
    CREATE INDEX sluice_idempotency_keys_by_expiry ON sluice_idempotency_keys (expires_at_ms);
    `,
    `
    CREATE TABLE sluice_redrives (
      id ${key} PRIMARY KEY,
      kind TEXT NOT NULL,
      state TEXT NOT NULL,
      reason TEXT,
      filter TEXT NOT NULL,
      rate_per_second ${float},
      matched ${big} NOT NULL,
      done ${big} NOT NULL,
      skipped ${big} NOT NULL,
      cursor ${key},
      created_at_ms ${big} NOT NULL,
      updated_at_ms ${big} NOT NULL,
      ended_at_ms ${big},
      driver ${key},
      driven_until_ms ${big} NOT NULL
    ) ${end};

    CREATE TABLE sluice_redrive_runs (
      redrive ${key} NOT NULL,
      job ${key} NOT NULL,
      run ${int} NOT NULL,
      PRIMARY KEY (redrive, job, run)
    ) ${end};
    `,
    `
    ALTER TABLE sluice_jobs ADD COLUMN timeout_ms ${big};
    `,
    `
    ALTER TABLE sluice_quarantine ADD COLUMN digest ${key};
    CREATE UNIQUE INDEX sluice_quarantine_once ON sluice_quarantine (digest);
    `,
    `
    ALTER TABLE sluice_redrives ADD COLUMN last_step ${key};
    `,
    `
    CREATE TABLE sluice_remade (
      id ${key} PRIMARY KEY,
      at_ms ${big} NOT NULL
    ) ${end};
    `,
    `
    ALTER TABLE sluice_redrives ADD COLUMN traceparent ${key};
    `,
  ];
}
