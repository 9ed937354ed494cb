/** Rows as aligned columns with a head. */
import { painterOf, type Style } from './colour.js';
import { oneLine } from './terminal.js';

export interface Column<Row> {
  readonly title: string;
  of(row: Row): string | number;
  /** Default left. */
  readonly align?: 'left' | 'right';
  readonly leastWidth?: number;
  /** On a terminal. */
  style?(row: Row): Style | false | undefined;
}

/** As wide as what is in them; the last one is not padded. Text from elsewhere cannot steer the terminal. */
export function tableOf<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  stream: NodeJS.WriteStream = process.stdout,
): string {
  return linesOfTable(columns, rows, stream)
    .map((line) => `${line}\n`)
    .join('');
}

/** The head, and a line for each row. */
export function linesOfTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  stream: NodeJS.WriteStream,
): string[] {
  const paint = painterOf(stream);
  const texts = rows.map((row) => columns.map((column) => oneLine(String(column.of(row)))));
  const widths = columns.map(({ title, leastWidth = 0 }, index) =>
    Math.max(leastWidth, title.length, ...texts.map((line) => line[index]?.length ?? 0)),
  );
  const padded = (text: string, index: number): string => {
    if (columns[index]?.align === 'right') return text.padStart(widths[index] ?? 0);
    return index === columns.length - 1 ? text : text.padEnd(widths[index] ?? 0);
  };
  const head = columns
    .map(({ title }, index) => padded(title, index))
    .join('  ')
    .trimEnd();
  const lines = rows.map((row, at) =>
    columns
      .map((column, index) => paint(column.style?.(row) || 'plain', padded(texts[at]?.[index] ?? '', index)))
      .join('  ')
      .trimEnd(),
  );
  return [paint('bold', head), ...lines];
}
