/** The store over any `Sql`. */
import type { Clock } from '../runtime/clock.js';
import type { Health, Service } from '../runtime/service.js';
import { createDeadReader } from './dead.js';
import { createIdempotencyKeys } from './idempotency.js';
import { createJobReader } from './jobs.js';
import { createRecords } from './records.js';
import { createRegisters } from './registers.js';
import type { Sql } from './sql.js';
import type { Records, Store } from './store.js';

export interface SqlStore extends Store {
  /** For what is no part of the port: audit, retention. */
  readonly sql: Sql;
}

/** @param more  of `Records`, where the database can do more than SQL */
export function storeOver(
  sql: Sql,
  clock: Clock,
  life: Service & { health(): Health },
  more: Partial<Records> = {},
): SqlStore {
  return {
    kind: sql.dialect,
    place: sql.place,
    sql,
    start: () => life.start(),
    stop: () => life.stop(),
    health: () => life.health(),
    records: { ...createRecords(sql, clock), ...more },
    jobs: { ...createJobReader(sql), ...createDeadReader(sql) },
    registers: createRegisters(sql),
    idempotency: createIdempotencyKeys(sql),
  };
}
