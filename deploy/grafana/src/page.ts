/** A dashboard: its variables, its links to the others, and a place for each panel. */
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { datasource, type PanelDraft } from './panels.js';

export interface VariableOptions {
  readonly name: string;
  readonly label: string;
  /** PromQL's `label_values(…)`. */
  readonly query: string;
  /** Takes a part of each value. */
  readonly regex?: string;
}

export interface PageOptions {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Besides `datasource`, `queue` and `instance`. */
  readonly variables?: readonly VariableOptions[];
  readonly rows: readonly { readonly title: string; readonly panels: readonly PanelDraft[] }[];
}

const COLUMNS = 24;
const tag = 'sluice';

const everywhere: readonly VariableOptions[] = [
  { name: 'queue', label: 'Queue', query: 'label_values(sluice_queue_depth, queue)' },
  { name: 'instance', label: 'Instance', query: 'label_values(sluice_broker_up, instance)' },
];

export function pageOf({ name, title, description, variables = [], rows }: PageOptions): Dashboard {
  const page = new DashboardBuilder(`Sluice / ${title}`)
    .uid(`sluice-${name}`)
    .description(description)
    .tags([tag])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-1h', to: 'now' })
    .refresh('10s')
    .timezone('browser')
    .link(
      new DashboardLinkBuilder('Sluice')
        .type(DashboardLinkType.Dashboards)
        .tags([tag])
        .includeVars(true)
        .keepTime(true),
    )
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'));
  for (const variable of [...everywhere, ...variables]) page.withVariable(variableOf(variable));

  let id = 1;
  let y = 0;
  for (const row of rows) {
    page.withRow(new RowBuilder(row.title).id(id++).gridPos({ x: 0, y: y++, w: COLUMNS, h: 1 }));
    let x = 0;
    let height = 0;
    for (const panel of row.panels) {
      if (x + panel.width > COLUMNS) {
        x = 0;
        y += height;
        height = 0;
      }
      page.withPanel(panel.build(id++, { x, y, w: panel.width, h: panel.height }));
      x += panel.width;
      height = Math.max(height, panel.height);
    }
    y += height;
  }
  const built = page.build();
  // The SDK's default would hide them in a menu.
  for (const link of built.links ?? []) delete link.placement;
  return built;
}

function variableOf({ name, label, query, regex }: VariableOptions): QueryVariableBuilder {
  const variable = new QueryVariableBuilder(name)
    .label(label)
    .datasource(datasource)
    .query({ query, refId: `variable-${name}` })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: ['All'], value: ['$__all'] });
  return regex === undefined ? variable : variable.regex(regex);
}
