/** Reservations of `Idempotency-Key`: each change is one statement that looks and takes at once. */
import type { Sql } from './sql.js';
import type { IdempotencyKeys } from './store.js';
import type { IdempotencyKeysTable } from './tables.js';

export function createIdempotencyKeys(sql: Sql): IdempotencyKeys {
  const { build } = sql;

  return {
    async reserve(reservation, nowMs) {
      const { owner, key } = reservation;
      const values = {
        owner,
        key,
        job_id: reservation.jobId,
        due_at_ms: reservation.dueAtMs,
        body_hash: reservation.bodyHash,
        lease_until_ms: reservation.leaseUntilMs,
        expires_at_ms: reservation.expiresAtMs,
        is_done: 0,
      };
      const { owner: _owner, key: _key, ...fresh } = values;
      const take = build
        .insertInto('sluice_idempotency_keys')
        .values(values)
        .onConflict((conflict) =>
          conflict
            .columns(['owner', 'key'])
            .doUpdateSet(fresh)
            .where('sluice_idempotency_keys.expires_at_ms', '<=', nowMs),
        )
        .returning('job_id')
        .compile();
      const look = build
        .selectFrom('sluice_idempotency_keys')
        .selectAll()
        .where('owner', '=', owner)
        .where('key', '=', key)
        .compile();
      for (;;) {
        const [taken, found] = await sql.write([take, look]);
        if (taken?.[0] !== undefined) return { kind: 'taken' };
        const by = found?.[0] as IdempotencyKeysTable | undefined;
        if (by === undefined) continue; // Released between the two.
        // A try of ours whose answer was lost.
        if (by.job_id === reservation.jobId && by.is_done === 0) return { kind: 'taken' };
        return {
          kind: 'held',
          by: {
            owner,
            key,
            jobId: by.job_id,
            dueAtMs: by.due_at_ms,
            bodyHash: by.body_hash,
            leaseUntilMs: by.lease_until_ms,
            expiresAtMs: by.expires_at_ms,
            isDone: by.is_done === 1,
          },
        };
      }
    },

    async takeOver(owner, key, formerLeaseUntilMs, leaseUntilMs) {
      const [taken] = await sql.write([
        build
          .updateTable('sluice_idempotency_keys')
          .set({ lease_until_ms: leaseUntilMs })
          .where('owner', '=', owner)
          .where('key', '=', key)
          .where('lease_until_ms', '=', formerLeaseUntilMs)
          .where('is_done', '=', 0)
          .returning('job_id')
          .compile(),
      ]);
      return taken?.length === 1;
    },

    async done(owner, key) {
      await sql.write([
        build
          .updateTable('sluice_idempotency_keys')
          .set({ is_done: 1 })
          .where('owner', '=', owner)
          .where('key', '=', key)
          .compile(),
      ]);
    },

    async release(owner, key, jobId) {
      await sql.write([
        build
          .deleteFrom('sluice_idempotency_keys')
          .where('owner', '=', owner)
          .where('key', '=', key)
          .where('job_id', '=', jobId)
          .where('is_done', '=', 0)
          .compile(),
      ]);
    },

    async sweep(nowMs, limit) {
      const [swept] = await sql.write([
        build
          .deleteFrom('sluice_idempotency_keys')
          .where(({ eb, refTuple, selectFrom }) =>
            eb(
              refTuple('owner', 'key'),
              'in',
              selectFrom('sluice_idempotency_keys as expired')
                .select(['expired.owner', 'expired.key'])
                .where('expired.expires_at_ms', '<=', nowMs)
                .orderBy('expired.expires_at_ms')
                .limit(limit)
                .$asTuple('owner', 'key'),
            ),
          )
          .returning('job_id')
          .compile(),
      ]);
      return swept?.length ?? 0;
    },
  };
}
