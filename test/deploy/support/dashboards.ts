/** The dashboards as Grafana reads them from deploy/grafana, and their queries as it asks them. */
import { readdirSync, readFileSync } from 'node:fs';

const folder = new URL('../../../deploy/grafana/', import.meta.url);

export interface Dashboard {
  readonly uid: string;
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly type: string;
      readonly definition?: string;
      readonly regex?: string;
    }[];
  };
  /** Those of type `row` are headings. */
  readonly panels: readonly Panel[];
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description: string;
  readonly datasource?: object;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig: {
    readonly defaults: {
      readonly unit: string;
      readonly thresholds: { readonly steps: readonly { readonly value: number | null }[] };
    };
  };
  readonly targets: readonly {
    readonly expr: string;
    readonly refId: string;
    readonly datasource?: object;
  }[];
}

export function readDashboards(): readonly Dashboard[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Dashboard);
}

export function panelsOf({ panels }: Dashboard): readonly Panel[] {
  return panels.filter(({ type }) => type !== 'row');
}

/** @throws Error  there is none */
export function panelOf(uid: string, title: string): Panel {
  const found = readDashboards()
    .filter((dashboard) => dashboard.uid === uid)
    .flatMap(panelsOf)
    .find((panel) => panel.title === title);
  if (found === undefined) throw new Error(`no panel ${title} on ${uid}`);
  return found;
}

/** One value, or all that are chosen. */
export type Variables = Readonly<Record<string, readonly string[] | string>>;

/** The query with its variables put in, several values as Grafana joins them for Prometheus. */
export function filledIn(expr: string, variables: Variables): string {
  return expr.replace(/\$(\w+)/g, (whole, name: string) => {
    const value = variables[name];
    if (value === undefined) return whole;
    return typeof value === 'string' ? value : `(${value.join('|')})`;
  });
}
