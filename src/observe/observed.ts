/**
 * Histograms of the hot routes: counted in numbers for each series, and told at a scrape in prom-client's terms. Its own `observe` checks
 * and writes out the labels each time, which twice a job took a twentieth of a worker (src/DECISIONS.md).
 */
import type { Metric, Registry } from 'prom-client';

export interface ObservedOptions<Label extends string> {
  readonly registry: Registry;
  readonly name: string;
  readonly help: string;
  /** None, one or two. */
  readonly labelNames: readonly [Label?, Label?];
  /** Upper bounds, rising; +Inf goes without saying. */
  readonly buckets: readonly number[];
}

/** Adds a finite value to the series with these values of the labels: closed sets, for none is ever forgotten. */
export type Observe = (value: number, first?: string, second?: string) => void;

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** How many were within each bucket and above the one before; the last is beyond all. */
  readonly counts: Float64Array;
  sum: number;
}

interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

export function createObserved<Label extends string>(options: ObservedOptions<Label>): Observe {
  const { registry, name, help, labelNames, buckets } = options;
  const all: Series[] = [];
  const byFirst = new Map<string, Map<string, Series>>();
  // One without labels is there from the first scrape on, as with prom-client.
  if (labelNames.length === 0) add('', '');
  const histogram = {
    name,
    get: async () => ({ name, help, type: 'histogram', aggregator: 'sum', values: all.flatMap(samplesOf) }),
  };
  registry.registerMetric(histogram as unknown as Metric);

  function samplesOf({ labels, counts, sum }: Series): Sample[] {
    let count = 0;
    const within = [...buckets, '+Inf'].map((le, at): Sample => {
      count += counts[at] as number;
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count };
    });
    return [
      ...within,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }

  function add(first: string, second: string): Series {
    const given = [first, second];
    const labels = Object.fromEntries(labelNames.map((label, at) => [label, given[at] ?? '']));
    const series: Series = { labels, counts: new Float64Array(buckets.length + 1), sum: 0 };
    const ofFirst = byFirst.get(first) ?? new Map<string, Series>();
    byFirst.set(first, ofFirst.set(second, series));
    all.push(series);
    return series;
  }

  return (value, first = '', second = '') => {
    const series = byFirst.get(first)?.get(second) ?? add(first, second);
    let at = 0;
    while (at < buckets.length && value > (buckets[at] as number)) at++;
    series.counts[at] = (series.counts[at] as number) + 1;
    series.sum += value;
  };
}
