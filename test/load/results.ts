/** What the benches measured last, kept in this folder: a run of some of them leaves the rows of the others as they are. */
import { readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { chart } from './chart.js';
import { type Comparison, costTable, table } from './report.js';

/** A comparison as it is kept: when it was made, on what, and in how many rounds (one sample each). */
export interface Result extends Comparison {
  readonly bench: string;
  /** Day, ISO 8601. */
  readonly on: string;
  readonly machine: string;
}

/** Of one bench: its comparisons, and what it says besides. */
export interface Made {
  readonly comparisons: readonly Comparison[];
  readonly notes: readonly string[];
}

export interface Results {
  readonly comparisons: readonly Result[];
  /** By bench. */
  readonly notes: Readonly<Record<string, readonly string[]>>;
}

const resultsPath = fileURLToPath(new URL('results.json', import.meta.url));
const chartPath = fileURLToPath(new URL('results.svg', import.meta.url));

export function readResults(): Results {
  return JSON.parse(readFileSync(resultsPath, 'utf8')) as Results;
}

/** Writes the JSON and the chart. @param made  by bench */
export function keep(made: ReadonlyMap<string, Made>, now: Date): void {
  writeFileSync(resultsPath, `${JSON.stringify(merged(readResults(), made, now), rounded, 2)}\n`);
  // Of what is kept, which is rounded: drawn from there again it must be the same.
  writeFileSync(chartPath, chart(readResults().comparisons));
}

/** @returns `before` with all that was made now in the place of the same benches' */
export function merged(before: Results, made: ReadonlyMap<string, Made>, now: Date): Results {
  const on = now.toISOString().slice(0, 10);
  const machine = `${cpus().length} ${arch()} cores, Node.js ${process.versions.node}`;
  const added = [...made].flatMap(([bench, { comparisons }]) =>
    comparisons.map((comparison) => ({ bench, on, machine, ...comparison })),
  );
  const order = [...new Set([...before.comparisons.map(({ bench }) => bench), ...made.keys()])];
  const kept = before.comparisons.filter(({ bench }) => !made.has(bench));
  return {
    comparisons: order.flatMap((name) => [...kept, ...added].filter(({ bench }) => bench === name)),
    notes: { ...before.notes, ...Object.fromEntries([...made].map(([bench, { notes }]) => [bench, notes])) },
  };
}

/** The block of the README: all that is kept, as the benches print it. */
export function resultsTable(): string {
  const { comparisons, notes } = readResults();
  const parts = [table(comparisons), ...Object.values(notes).flat(), costTable(comparisons)];
  return ['```', parts.filter((part) => part !== '').join('\n\n'), '```'].join('\n');
}

/** Four digits say enough. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
