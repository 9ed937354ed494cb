/** Reads the metrics of a running service. */

/** Those of one name added up. */
export async function scrape(url: string): Promise<ReadonlyMap<string, number>> {
  const sums = new Map<string, number>();
  for (const line of (await (await fetch(`${url}/metrics`)).text()).split('\n')) {
    const [, name, value] = /^(\w+)(?:\{.*\})? (\S+)$/.exec(line) ?? [];
    if (name !== undefined) sums.set(name, (sums.get(name) ?? 0) + Number(value));
  }
  return sums;
}

/** Jobs that have ended since it was started. */
export async function completed(url: string): Promise<number> {
  return (await scrape(url)).get('sluice_jobs_completed_total') ?? 0;
}
