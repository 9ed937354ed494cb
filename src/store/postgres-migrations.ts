/** Brings the tables of a PostgreSQL database to the present version: in one transaction, one process at a time. */
import type pg from 'pg';
import { schemaOf } from './schema.js';

/** The database is of a later release. */
export class NewerSchema extends Error {}

/** "Slui": the number that all who migrate agree on. */
const LOCK = 0x536c7569;
/** Another one may be migrating millions of rows. */
const PATIENCE_MS = 600_000;
const COMPONENT = 'store';

export async function migrate(
  client: pg.ClientBase,
  steps: readonly string[] = schemaOf('postgres'),
): Promise<void> {
  const run = (text: string, values: unknown[] = []): Promise<pg.QueryResult<Record<string, unknown>>> =>
    client.query({ text, values, query_timeout: PATIENCE_MS } as pg.QueryConfig);
  await client.query('begin');
  try {
    await client.query(`set local statement_timeout = ${PATIENCE_MS}`);
    await run('select pg_advisory_xact_lock($1)', [LOCK]);
    await client.query(
      'create table if not exists sluice_versions (component text primary key, version integer not null)',
    );
    const { rows } = await run('select version from sluice_versions where component = $1', [COMPONENT]);
    const version = Number(rows[0]?.['version'] ?? 0);
    if (version > steps.length) {
      throw new NewerSchema(
        `its tables were written by a newer Sluice, version ${version} of the store, this release knows ${steps.length}: ` +
          'run that release, or set DATABASE_URL to another database',
      );
    }
    for (const step of steps.slice(version)) await run(step);
    if (version < steps.length) {
      await run(
        'insert into sluice_versions values ($1, $2) on conflict (component) do update set version = excluded.version',
        [COMPONENT, steps.length],
      );
    }
    await client.query('commit');
  } catch (thrown) {
    await client.query('rollback').catch(() => {}); // The connection may be gone, which undoes as well.
    throw thrown;
  }
}
