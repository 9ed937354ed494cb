/** How a queue is shown in a table, by `queues` and by `top`. */
import type { QueueView } from '../api/queues.js';
import { lanes } from '../job/job.js';
import { durationOf } from './duration.js';
import type { Column } from './table.js';

type Forecast = QueueView['forecast'];

export const nameColumn: Column<QueueView> = { title: 'QUEUE', of: ({ name }) => name };

export const waitingColumn: Column<QueueView> = {
  title: 'WAITING',
  align: 'right',
  of: ({ depth }) => depth.total,
};

export const laneColumns: readonly Column<QueueView>[] = lanes.map((lane) => ({
  title: lane.toUpperCase(),
  align: 'right',
  of: ({ depth }) => depth[lane],
}));

/** What goes on, and where it leads. */
export const flowColumns: readonly Column<QueueView>[] = [
  { title: 'LATER', align: 'right', of: ({ scheduled }) => scheduled },
  {
    title: 'ACTIVE',
    align: 'right',
    of: ({ active }) => active,
    style: ({ active }) => active > 0 && 'cyan',
  },
  { title: 'DEAD', align: 'right', of: ({ dead }) => dead, style: ({ dead }) => dead > 0 && 'red' },
  {
    title: 'OLDEST',
    align: 'right',
    of: ({ oldestAgeMs }) => (oldestAgeMs === null ? '-' : durationOf(oldestAgeMs)),
  },
  { title: 'IN/S', align: 'right', of: ({ acceptedPerSecond }) => acceptedPerSecond },
  { title: 'OUT/S', align: 'right', of: ({ drainedPerSecond }) => drainedPerSecond },
  {
    title: 'EMPTY',
    of: ({ forecast }) => emptyOf(forecast),
    style: ({ forecast: { state } }) => forecastStyles[state],
  },
];

const forecastStyles = {
  empty: false,
  draining: 'green',
  growing: 'yellow',
  idle: 'yellow',
  paused: 'magenta',
} as const satisfies Readonly<Record<Forecast['state'], string | false>>;

function emptyOf({ state, emptyInMs }: Forecast): string {
  return state === 'draining' && emptyInMs !== null ? `in ${durationOf(emptyInMs)}` : state;
}
