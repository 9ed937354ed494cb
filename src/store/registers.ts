/** What people have asked for. Every condition is part of the statement that changes something, so that nobody comes between. */
import type { CancelOrder, QueueOrder } from '../job/orders.js';
import { select } from './builders.js';
import { sql as raw } from './kysely.js';
import { jobColumns, jobOf, type StoredJob } from './rows.js';
import type { Sql } from './sql.js';
import type { Registers } from './store.js';
import type { QueueOrdersTable } from './tables.js';

export function createRegisters(sql: Sql): Registers {
  const { build } = sql;

  return {
    async orders() {
      // One statement is one snapshot on both databases. Orders to cancel come as one text: as 100,000 rows they held up the loop
      // of every worker for a second.
      const rows = await sql.read<OrderRow>(
        raw`select 'cancels' as kind, ${cancelsAsText(sql)} as name, 0 as is_paused, null as concurrency, null as purged_through_ms
          union all select 'queue', queue, is_paused, concurrency, purged_through_ms from sluice_queue_orders`.compile(
          build,
        ),
      );
      const cancels = rows.filter(({ kind }) => kind === 'cancels').flatMap(({ name }) => cancelsOf(name));
      const queues = rows.filter(({ kind }) => kind === 'queue');
      return { cancels, queues: queues.map((row) => queueOrderOf({ ...row, queue: row.name })) };
    },

    async cancel(id, run, atMs) {
      await sql.write([
        build
          .insertInto('sluice_cancels')
          .values({ id, run, at_ms: atMs })
          .onConflict((conflict) => conflict.doNothing())
          .compile(),
      ]);
    },

    async cancelRequestedAt(id, run) {
      const [order] = await select(
        sql,
        build.selectFrom('sluice_cancels').select('at_ms').where('id', '=', id).where('run', '=', run),
      );
      return order?.at_ms;
    },

    async orderQueue(queue, { isPaused, concurrency, purgedThroughMs }) {
      const changes = {
        ...(isPaused === undefined ? {} : { is_paused: isPaused ? 1 : 0 }),
        ...(concurrency === undefined ? {} : { concurrency }),
        ...(purgedThroughMs === undefined ? {} : { purged_through_ms: purgedThroughMs }),
      };
      const values = { queue, is_paused: 0, concurrency: null, purged_through_ms: null, ...changes };
      const insert = build.insertInto('sluice_queue_orders').values(values);
      const [rows] = await sql.write([
        insert
          .onConflict((conflict) => conflict.column('queue').doUpdateSet({ queue, ...changes }))
          .returningAll()
          .compile(),
      ]);
      return queueOrderOf(rows?.[0] as QueueOrdersTable);
    },

    async claimReplay(id, run, nowMs, untilMs) {
      const [claimed, payloads] = await sql.write([
        build
          .updateTable('sluice_jobs')
          .set({ claimed_run: run, claimed_until_ms: untilMs })
          .where('id', '=', id)
          .where('run', '=', run)
          .where('state', 'in', ['dead', 'cancelled'])
          .where(({ or, eb }) =>
            or([
              eb('claimed_run', 'is', null),
              eb('claimed_run', '<', run),
              eb('claimed_until_ms', '<=', nowMs),
            ]),
          )
          .returning(jobColumns)
          .compile(),
        build.selectFrom('sluice_payloads').select('payload').where('id', '=', id).compile(),
      ]);
      const job = claimed?.[0] as StoredJob | undefined;
      if (job === undefined) return undefined;
      return { row: jobOf(job), payload: (payloads?.[0] as { payload: string } | undefined)?.payload };
    },
  };
}

type OrderRow = Omit<QueueOrdersTable, 'queue'> & {
  readonly kind: 'cancels' | 'queue';
  readonly name: string;
};

function cancelsAsText({ dialect }: Sql) {
  const all = dialect === 'sqlite' ? 'json_group_array' : 'json_agg';
  return raw<string>`coalesce((select cast(${raw.raw(all)}(id || ' ' || run) as text) from sluice_cancels), '[]')`;
}

function cancelsOf(text: string): CancelOrder[] {
  return (JSON.parse(text) as string[]).map((one) => {
    const at = one.lastIndexOf(' ');
    return { id: one.slice(0, at), run: Number(one.slice(at + 1)) };
  });
}

function queueOrderOf(row: QueueOrdersTable): QueueOrder {
  return {
    queue: row.queue,
    isPaused: row.is_paused === 1,
    ...(row.concurrency === null ? {} : { concurrency: row.concurrency }),
    ...(row.purged_through_ms === null ? {} : { purgedThroughMs: row.purged_through_ms }),
  };
}
