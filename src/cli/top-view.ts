/** What `sluice top` shows of one look: a line of where and when, the sums, and the queues. */
import type { QueueView } from '../api/queues.js';
import { painterOf } from './colour.js';
import { durationOf } from './duration.js';
import { flowColumns, laneColumns, nameColumn } from './queue-columns.js';
import type { Look } from './queue-looks.js';
import { reasonOf } from './server.js';
import { linesOfTable } from './table.js';

const columns = [nameColumn, ...laneColumns, ...flowColumns];

/** @param stream  where it is shown: a terminal has colours, and only so many rows */
export function linesOfLook(look: Look, url: string, stream: NodeJS.WriteStream): string[] {
  const paint = painterOf(stream);
  const { atMs, views, outage } = look;
  const head = `${paint('bold', 'sluice top')}  ${url}  ${new Date(atMs).toISOString()}`;
  const gone = outage && `no answer for ${durationOf(outage.forMs)}: ${reasonOf(outage.reason, url)}`;
  const table = linesOfTable(columns, views, stream);
  const lines = [head, sumsOf(views), ...(gone === undefined ? [] : [paint('red', gone)]), '', ...table];
  const room = stream.isTTY ? stream.rows : Number.POSITIVE_INFINITY;
  if (lines.length <= room) return lines;
  const shown = lines.slice(0, Math.max(1, room - 1));
  return [...shown, paint('dim', `and ${lines.length - shown.length} more lines than fit here`)];
}

function sumsOf(views: readonly QueueView[]): string {
  const sum = (of: (view: QueueView) => number): number => views.reduce((so, view) => so + of(view), 0);
  const perSecond = (of: (view: QueueView) => number): string => sum(of).toFixed(1);
  const parts = [
    `${views.length} ${views.length === 1 ? 'queue' : 'queues'}`,
    `${sum(({ depth }) => depth.total)} waiting`,
    `${sum(({ scheduled }) => scheduled)} later`,
    `${sum(({ active }) => active)} active`,
    `${sum(({ dead }) => dead)} dead`,
    `${perSecond(({ acceptedPerSecond }) => acceptedPerSecond)}/s in`,
    `${perSecond(({ drainedPerSecond }) => drainedPerSecond)}/s out`,
  ];
  return parts.join(', ');
}
