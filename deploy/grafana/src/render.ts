/** The files that Grafana reads, from what is written here. */
import { broker } from './broker.js';
import { ingestion } from './ingestion.js';
import { overview } from './overview.js';
import { workers } from './workers.js';

const pages = { overview, ingestion, workers, broker };

/** File name to text, the same at each call. */
export function renderDashboards(): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(pages).map(([name, page]) => [`${name}.json`, `${JSON.stringify(page(), null, 2)}\n`]),
  );
}
