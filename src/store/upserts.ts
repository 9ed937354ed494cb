/** Multi-row inserts of a fixed shape: compiled once for each of a few sizes, then run with flat parameters. */
import { sql as raw } from './kysely.js';
import type { Sql, Statement } from './sql.js';
import type { Database } from './tables.js';

/** What happens to a row whose key is there already. The new one is `excluded`, the old one has the table's name. */
export interface Conflict {
  readonly key: readonly string[];
  /** Column -> SQL of its new value; absent: the row stays as it is. */
  readonly set?: Readonly<Record<string, string>>;
  /** SQL: otherwise the row stays as it is. */
  readonly where?: string;
}

export interface UpsertOptions<Row> {
  readonly table: keyof Database & string;
  /** Column -> its value in a row. */
  readonly columns: Readonly<Record<string, (row: Row) => unknown>>;
  readonly conflict: Conflict;
}

const sizes = [256, 64, 16, 4, 1] as const;

/** @returns what makes statements of rows; each key may be there once, and sorted by it two writers never wait for each other in a circle */
export function createUpsert<Row>(
  sql: Pick<Sql, 'build'>,
  { table, columns, conflict }: UpsertOptions<Row>,
): (rows: readonly Row[]) => Statement[] {
  const names = Object.keys(columns);
  const values = Object.values(columns);
  const texts = new Map<number, string>();

  function textOf(size: number): string {
    const known = texts.get(size);
    if (known !== undefined) return known;
    const line = raw`(${raw.join(names.map(() => raw`${null}`))})`;
    const made = raw`insert into ${raw.table(table)} (${raw.join(names.map((name) => raw.ref(name)))}) values ${raw.join(
      Array.from({ length: size }, () => line),
    )} on conflict (${raw.join(conflict.key.map((name) => raw.ref(name)))}) do ${raw.raw(actionOf(conflict))}`;
    const text = made.compile(sql.build).sql;
    texts.set(size, text);
    return text;
  }

  return (rows) => {
    const statements: Statement[] = [];
    let from = 0;
    for (const size of sizes) {
      for (; rows.length - from >= size; from += size) {
        const parameters: unknown[] = [];
        for (let i = from; i < from + size; i++) {
          const row = rows[i] as Row;
          for (const value of values) parameters.push(value(row));
        }
        statements.push({ sql: textOf(size), parameters, name: `${table} ${size}` });
      }
    }
    return statements;
  };
}

function actionOf({ set, where }: Conflict): string {
  if (set === undefined) return 'nothing';
  const changes = Object.entries(set).map(([name, value]) => `"${name}" = ${value}`);
  return `update set ${changes.join(', ')}${where === undefined ? '' : ` where ${where}`}`;
}
