/**
 * Counters of the hot routes, each with three labels: counted in a number for each series, and brought to prom-client at a scrape. Its own
 * `inc` writes the labels as a text to find the series, which four times a job is felt.
 */
import { Counter, type Registry } from 'prom-client';

export interface CountedOptions {
  readonly registry: Registry;
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly [string, string, string];
}

/** Adds `by`, 1 unless given, to the series with these values of the labels: closed sets, for none is ever forgotten. */
export type Count = (first: string, second: string, third: string | number, by?: number) => void;

interface Series {
  readonly labels: Readonly<Record<string, string | number>>;
  count: number;
}

export function createCounted({ registry, name, help, labelNames }: CountedOptions): Count {
  const all: Series[] = [];
  const byFirst = new Map<string, Map<string, Map<string | number, Series>>>();
  new Counter({
    name,
    help,
    labelNames: [...labelNames],
    registers: [registry],
    collect() {
      this.reset();
      for (const { labels, count } of all) this.inc({ ...labels }, count);
    },
  });
  return (first, second, third, by = 1) => {
    const known = byFirst.get(first)?.get(second)?.get(third);
    if (known === undefined) add(first, second, third).count += by;
    else known.count += by;
  };

  function add(first: string, second: string, third: string | number): Series {
    const [a, b, c] = labelNames;
    const series: Series = { labels: { [a]: first, [b]: second, [c]: third }, count: 0 };
    const bySecond = byFirst.get(first) ?? new Map<string, Map<string | number, Series>>();
    const byThird = bySecond.get(second) ?? new Map<string | number, Series>();
    byFirst.set(first, bySecond.set(second, byThird.set(third, series)));
    all.push(series);
    return series;
  }
}
