/** What published articles say of systems of this shape, and our figures for the same questions, of those that are kept. */
import { latency, median, type Sample } from './report.js';
import type { Result, Results } from './results.js';

/** What the benches measure for these questions, and what they call it. */
export const MANY_CONNECTIONS = 1000;
export const manyConnections = `POST /v1/jobs, ${MANY_CONNECTIONS} connections, no error`;
export const HANDLER_MS = 20;
/** Of each worker. */
export const CONCURRENCY = 10;

export function slowDrain(workers: number): string {
  return `drain, ${HANDLER_MS} ms handler, work x ${workers}, concurrency ${CONCURRENCY} each`;
}

/** Most jobs a second that so many workers can run. */
export function perfectOf(workers: number): number {
  return (workers * CONCURRENCY * 1000) / HANDLER_MS;
}

const CONSUMERS = [1, 4, 8];

/** A row for each question to which there is a kept figure. Markdown. */
export function articlesTable(results: Results): string {
  const rows = [accepting, throughput, consumers, errors].map((answer) => answer(results));
  return ['| Question | Published | Here |', '|---|---|---|', ...rows.flatMap((row) => row ?? [])].join('\n');
}

type Row = string | undefined;

function accepting({ comparisons }: Results): Row {
  const found = comparisons.find(isIngestion);
  if (found === undefined) return undefined;
  return row(
    'time to accept a request, by a queue instead of at once',
    '80 ms -> 8 ms',
    `${latency(found.ours)} ms (p50/p99/p99.9) over 64 connections without a pause, each answer after the confirm of the broker`,
  );
}

function throughput({ comparisons }: Results): Row {
  const found = comparisons.find(isIngestion);
  if (found === undefined) return undefined;
  return row(
    'requests/s, by a queue instead of at once',
    '1,200 -> 8,000',
    `${told([middle(found.ours)])} into one \`serve\``,
  );
}

function isIngestion({ bench }: Result): boolean {
  return bench === 'ingestion';
}

function consumers({ comparisons }: Results): Row {
  const of = (workers: number): Result | undefined =>
    comparisons.find(({ bench, what }) => bench === 'scale' && what === slowDrain(workers));
  const found = CONSUMERS.flatMap((workers) => of(workers) ?? []);
  if (found.length < CONSUMERS.length) return undefined;
  return row(
    'jobs/s with 1, 4 and 8 consumers',
    '850, 3,200, 4,100',
    `${told(found.map(({ ours }) => middle(ours)))} of ${HANDLER_MS} ms, ${CONCURRENCY} at a time each (most that can be: ${told(CONSUMERS.map(perfectOf))})`,
  );
}

function errors({ comparisons }: Results): Row {
  const found = comparisons.find(({ bench, what }) => bench === 'steady' && what === manyConnections);
  if (found === undefined) return undefined;
  const total = (pick: (sample: Sample) => number | undefined): number =>
    found.ours.reduce((sum, sample) => sum + (pick(sample) ?? 0), 0);
  const answers = total((sample) => sample.answers);
  const failed = total((sample) => sample.faults);
  if (answers === 0) return undefined;
  const share = failed === 0 ? 'none' : `${((failed * 100) / answers).toFixed(2)} %`;
  return row(
    'errors at 1,000 connections',
    '1.3 %',
    `${share} of ${answers.toLocaleString('en')} requests, at ${told([middle(found.ours)])}/s`,
  );
}

function row(question: string, published: string, here: string): string {
  return `| ${question} | ${published} | ${here} |`;
}

function middle(samples: readonly Sample[]): number {
  return median(samples.map(({ perSecond }) => perSecond));
}

function told(rates: readonly number[]): string {
  return rates.map((rate) => Math.round(rate).toLocaleString('en')).join(', ');
}
