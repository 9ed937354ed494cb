/** What a bench measured, and the tables that compare it. */
import type { Usage } from './usage.js';

export interface Sample {
  readonly perSecond: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly p999Ms?: number;
  /** Requests that were answered, and those of them that failed. */
  readonly answers?: number;
  readonly faults?: number;
  readonly usage?: Usage | undefined;
}

export interface Comparison {
  readonly what: string;
  readonly unit: string;
  readonly reference: string;
  /** The least ratio that design.md 11 asks for. */
  readonly goal: number;
  /** One per round, in the same order for both. */
  readonly ours: readonly Sample[];
  readonly theirs: readonly Sample[];
}

/** Of an even count the mean of the middle two. @throws RangeError  of nothing */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('the median of nothing');
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] as number;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] as number;
  return (lower + upper) / 2;
}

/** The median of the ratios of each round: both sides of a round saw the same machine. */
export function ratio({ ours, theirs }: Comparison): number {
  return median(ours.map((sample, round) => sample.perSecond / (theirs[round]?.perSecond ?? Number.NaN)));
}

/** Rates, latencies and ratios. */
export function table(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map((comparison) => {
    const { what, unit, reference, goal, ours, theirs } = comparison;
    const reached = ratio(comparison);
    return [
      `${what} (${unit})`,
      rate(ours),
      latency(ours),
      reference,
      rate(theirs),
      latency(theirs),
      reached.toFixed(2),
      `>= ${goal.toFixed(2)}`,
      reached >= goal ? 'reached' : 'not reached',
    ];
  });
  const times = 'p50/p99/p99.9 ms';
  return aligned([
    ['what', 'ours/s', times, 'reference', 'reference/s', times, 'ratio', 'goal', ''],
    ...rows,
  ]);
}

/** What each job or request costs; of those comparisons whose usage was measured. */
export function costTable(comparisons: readonly Comparison[]): string {
  const rows = comparisons.flatMap(({ what, unit, reference, ours, theirs }) => {
    const [we, they] = [costOf(ours), costOf(theirs)];
    return we === undefined || they === undefined ? [] : [[`${what} (${unit})`, ...we, reference, ...they]];
  });
  if (rows.length === 0) return '';
  const cost = ['own us', 'servers us', 'MB'];
  return aligned([['CPU time of each, and memory', ...cost, 'reference', ...cost], ...rows]);
}

/** A row of a note's table: the rate, own and servers' us, and MB, as the tables above have them. */
export function rateAndCost(samples: readonly Sample[]): string[] {
  return [rate(samples), ...(costOf(samples) ?? ['-', '-', '-'])];
}

function costOf(samples: readonly Sample[]): string[] | undefined {
  const usages = samples.flatMap(({ usage }) => usage ?? []);
  if (usages.length === 0) return undefined;
  const of = (pick: (usage: Usage) => number): string => Math.round(median(usages.map(pick))).toString();
  return [of(({ ownUs }) => ownUs), of(({ serversUs }) => serversUs), of((usage) => usage.residentMb)];
}

/** Columns of text; the first row is the head. */
export function aligned(all: readonly (readonly string[])[]): string {
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function rate(samples: readonly Sample[]): string {
  return Math.round(median(samples.map((sample) => sample.perSecond))).toLocaleString('en');
}

export function latency(samples: readonly Sample[]): string {
  const of = (pick: (sample: Sample) => number | undefined): string => {
    const values = samples.map(pick).filter((value) => value !== undefined);
    return values.length === 0 ? '' : median(values).toFixed(1);
  };
  const found = [of((sample) => sample.p50Ms), of((sample) => sample.p99Ms), of((sample) => sample.p999Ms)];
  return found.filter((text) => text !== '').join(' / ') || '-';
}
