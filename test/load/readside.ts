/**
 * `npm run ledger`: 100,000 jobs of every fate on RabbitMQ and PostgreSQL, or SQLite with `--store sqlite`, while the recorder, the
 * database, the broker and the worker are each killed (`kill -9`) in the middle. Prints the books; exit code 1 when they do not agree.
 */
import { parseArgs } from 'node:util';
import { type BooksReport, runBooks } from './books-run.js';
import { rate, seconds } from './ledger-table.js';
import { prepare } from './product.js';

const MOST_SHOWN = 20;

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '100000' },
    batch: { type: 'string', default: '500' },
    recorders: { type: 'string', default: '1' },
    store: { type: 'string', default: 'postgres' },
  },
});
const [jobs = 0, batch = 0, recorders = 0] = [values.jobs, values.batch, values.recorders].map(Number);
const store = values.store;
if (
  ![jobs, batch, recorders].every((number) => Number.isSafeInteger(number) && number >= 1) ||
  (store !== 'postgres' && store !== 'sqlite')
) {
  process.stderr.write(
    'usage: npm run ledger -- [--jobs 100000] [--batch 500] [--recorders 1] [--store postgres | sqlite]\n',
  );
  process.exit(2);
}

prepare({ rabbitmq: true, postgres: store === 'postgres' });
const startMs = Date.now();
const report = await runBooks({
  jobs,
  batch,
  recorders,
  store,
  replays: Math.ceil(jobs / 500),
  say: (text) =>
    void process.stderr.write(`${((Date.now() - startMs) / 1000).toFixed(1).padStart(6)} s  ${text}\n`),
});
process.stdout.write(`\n${printed(report)}\n`);
process.exitCode = report.faults.length === 0 && report.verify.code === 0 ? 0 : 1;

function printed({ verify, faults, ...books }: BooksReport): string {
  const audit = verify.report;
  const states = Object.entries(books.states).map(([state, { listed, audited }]): [string, string] => [
    `  ${state}: listed / audited`,
    `${count(listed)} / ${count(audited)}`,
  ]);
  const rows: (readonly [string, string])[] = [
    ['accepted (answered with an id)', count(books.accepted)],
    ['of unknown outcome, submitted anew', count(books.unknown)],
    ['  of these became jobs all the same', count(books.unnamed)],
    ['refused for the moment, submitted again', count(books.refused)],
    ['ordered: cancels / replays', `${count(books.ordered.cancels)} / ${count(books.ordered.replays)}`],
    ['calls of handlers (without echo)', count(books.calls)],
    ['  distinct jobs called', count(books.called)],
    ['jobs listed', count(books.listed)],
    ...states,
    [
      'audit: acceptances told / again / implied',
      audit
        ? `${count(audit.accepted.told)} / ${count(audit.accepted.again)} / ${count(audit.accepted.implied)}`
        : '?',
    ],
    ['audit: difference', String(audit?.difference ?? '?')],
    ['audit: verdict', audit?.verdict ?? '?'],
    ['UNACCOUNTED', String(audit?.unaccounted ?? '?')],
    ['DISAGREEMENTS', count(faults.length)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    ...rows.map(([name, value]) => `${name.padEnd(width)}  ${value.padStart(19)}`),
    '',
    ...(audit?.findings ?? []).map(({ severity, code, detail }) => `${severity} ${code}: ${detail}`),
    ...(audit === undefined ? [verify.text] : []),
    ...faults.slice(0, MOST_SHOWN),
    `submitting took ${seconds(books.submitMs)} (${rate(books.accepted, books.submitMs)}), all had ended after ${seconds(books.tookMs)} (${rate(books.accepted, books.tookMs)})`,
  ].join('\n');
}

function count(number: number): string {
  return number.toLocaleString('en');
}
