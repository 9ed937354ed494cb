/** The ledger as a person reads it. */
import { type Ledger, type Reason, reasons } from './ledger.js';
import type { Submission } from './submit.js';

/** @param extra  rows to print above the lost ones */
export function printed(
  ledger: Ledger,
  submission: Submission,
  extra: readonly (readonly [string, number])[] = [],
): string {
  const duplicates = Object.values(ledger.duplicates).reduce((sum, value) => sum + value, 0);
  const explained = Object.entries(ledger.duplicates)
    .filter(([, value]) => value > 0)
    .map(([reason, value]): [string, number] => [`    ${reasons[reason as Reason]}`, value]);
  const rows: (readonly [string, number])[] = [
    ['requests', submission.requests],
    ['accepted (202)', ledger.accepted],
    ['refused (503), submitted again', submission.refused],
    ['outcome unknown, submitted again', submission.unknownOutcomes],
    ['  of these arrived all the same', ledger.unknownDelivered + ledger.unnamed],
    ['arrived at the sink, all requests', ledger.arrivals],
    ['accepted jobs that arrived', ledger.delivered],
    ['duplicates', duplicates],
    ...explained,
    ...extra,
    ['LOST', ledger.lost.length],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(
    ([name, value]) => `${name.padEnd(width)}  ${value.toLocaleString('en').padStart(9)}`,
  );
  if (ledger.unexplained.length > 0) lines.push(`unexplained: ${ledger.unexplained.slice(0, 10).join(', ')}`);
  if (ledger.lost.length > 0) lines.push(`lost: ${ledger.lost.slice(0, 10).join(', ')}`);
  return lines.join('\n');
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

export function rate(count: number, ms: number): string {
  return `${Math.round((count * 1000) / ms).toLocaleString('en')} jobs/s`;
}
