/** How statements reach the database, whichever it is: kysely builds and compiles them, it never executes. */
import type { CompiledQuery, Kysely } from 'kysely';
import type { Database } from './tables.js';

/** Parameters are strings, finite numbers, null and Uint8Array: what both databases take. Flags are 0 or 1. */
export interface Sql {
  readonly dialect: 'sqlite' | 'postgres';
  /** Where it lies, for a person; no password in it. */
  readonly place: string;
  /** Compiles only. */
  readonly build: Kysely<Database>;
  /**
   * One statement that changes nothing, beside whatever is written.
   * @throws StoreUnavailable  @throws StoreRefused
   */
  read<Row>(query: Statement<Row>): Promise<Row[]>;
  /**
   * All in one transaction, in this order; the rows of each (RETURNING, SELECT). There is no transaction over several calls: a
   * condition is part of the statement that changes something.
   * @throws StoreUnavailable  @throws StoreRefused
   */
  write(statements: readonly Statement[]): Promise<readonly (readonly unknown[])[]>;
}

/** A query as `.compile()` makes it. The text of one that runs all the time gets a name: it is prepared once per connection. */
export type Statement<Row = unknown> = Pick<CompiledQuery<Row>, 'sql' | 'parameters'> & {
  readonly name?: string;
};
