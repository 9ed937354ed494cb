/** Rows as aligned columns with a head. */
import { oneLine } from './terminal.js';

export interface Column<Row> {
  readonly title: string;
  of(row: Row): string | number;
}

/** As wide as what is in them; the last one is not padded. Text from elsewhere cannot steer the terminal. */
export function tableOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map((column) => oneLine(String(column.of(row))))),
  ];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]?.length ?? 0)));
  return cells
    .map((line) => line.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}
