/** The kinds of panel that the dashboards use. Each has a description that tells its reader what to do. */
import { PanelBuilder as BarGaugeBuilder } from '@grafana/grafana-foundation-sdk/bargauge';
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  BarGaugeDisplayMode,
  BigValueColorMode,
  BigValueGraphMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  type GridPos,
  MappingType,
  type Panel,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

export interface Query {
  readonly expr: string;
  /** Of each series, with labels as `{{queue}}`. */
  readonly legend: string;
}

/** From a value on, a colour; the first holds for everything below the second. */
export type Levels = readonly (readonly [from: number | null, colour: 'green' | 'orange' | 'red'])[];

export interface PanelOptions {
  readonly title: string;
  /** What it shows, and what to do when it is not as it should be. */
  readonly description: string;
  /** One of Grafana's units. */
  readonly unit: string;
  readonly queries: readonly Query[];
  readonly levels?: Levels;
  readonly mappings?: readonly ValueMapping[];
  /** Columns, of 24; and rows of some 30 pixels. */
  readonly width?: number;
  readonly height?: number;
}

/** A panel without its place, which the page gives. */
export interface PanelDraft {
  readonly width: number;
  readonly height: number;
  build(id: number, place: GridPos): Builder<Panel>;
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana puts the chosen one in
export const datasource = { type: 'prometheus', uid: '${datasource}' };

const allGreen: Levels = [[null, 'green']];

/** One number, with the line of its past behind it. */
export function stat(options: PanelOptions): PanelDraft {
  return draftOf(options, 4, 4, () =>
    new StatBuilder()
      .graphMode(BigValueGraphMode.Area)
      .colorMode(BigValueColorMode.Background)
      .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('').values(false)),
  );
}

/** Lines over time; with levels their first fault line is drawn. */
export function lines(options: PanelOptions & { readonly isStacked?: boolean }): PanelDraft {
  return draftOf(options, 12, 8, () => {
    const panel = new TimeseriesBuilder()
      .lineWidth(1)
      .fillOpacity(options.isStacked ? 30 : 8)
      .min(0)
      .legend(
        new VizLegendOptionsBuilder()
          .displayMode(LegendDisplayMode.Table)
          .placement(LegendPlacement.Bottom)
          .showLegend(true)
          .calcs(['lastNotNull', 'max']),
      )
      .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
    if (options.isStacked) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
    if (options.levels)
      panel.thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
    return panel;
  });
}

/** Shares of 1, one bar each: the longest is the narrowest place. */
export function bars(options: PanelOptions): PanelDraft {
  return draftOf(options, 12, 8, () =>
    new BarGaugeBuilder()
      .orientation(VizOrientation.Horizontal)
      .displayMode(BarGaugeDisplayMode.Basic)
      .min(0)
      .max(1)
      .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('').values(false)),
  );
}

/** One row per series, the labels as columns. */
export function table(options: PanelOptions & { readonly value: string }): PanelDraft {
  return draftOf(
    options,
    12,
    8,
    () =>
      new TableBuilder().withTransformation({
        id: 'organize',
        options: { excludeByName: { Time: true }, renameByName: { Value: options.value } },
      }),
    (query) => query.format(PromQueryFormat.Table).instant(),
  );
}

/** From so many on there is no end: PromQL's +Inf, clamped by the query. */
export function textFrom(value: number, text: string, color: string): ValueMapping {
  return {
    type: MappingType.RangeToText,
    options: { from: value, to: null, result: { text, color, index: 0 } },
  };
}

/** Names for values, such as `{ 0: ['no', 'red'] }`. */
export function texts(names: Readonly<Record<string, readonly [text: string, color: string]>>): ValueMapping {
  const options = Object.entries(names).map(([value, [text, color]], index) => [
    value,
    { text, color, index },
  ]);
  return { type: MappingType.ValueToText, options: Object.fromEntries(options) };
}

/** What all panel builders of the SDK have in common. */
interface AnyPanelBuilder extends Builder<Panel> {
  id(id: number): this;
  gridPos(place: GridPos): this;
  title(title: string): this;
  description(description: string): this;
  unit(unit: string): this;
  datasource(ref: typeof datasource): this;
  noValue(text: string): this;
  mappings(mappings: ValueMapping[]): this;
  thresholds(thresholds: Builder<{ mode: ThresholdsMode; steps: Threshold[] }>): this;
  targets(targets: DataqueryBuilder[]): this;
}

function draftOf(
  options: PanelOptions,
  width: number,
  height: number,
  make: () => AnyPanelBuilder,
  shape: (query: DataqueryBuilder) => DataqueryBuilder = (query) => query.range(),
): PanelDraft {
  return {
    width: options.width ?? width,
    height: options.height ?? height,
    build(id, place) {
      const steps = (options.levels ?? allGreen).map(([value, color]) => ({ value, color }));
      return make()
        .id(id)
        .gridPos(place)
        .title(options.title)
        .description(options.description)
        .unit(options.unit)
        .datasource(datasource)
        .noValue('not known')
        .mappings([...(options.mappings ?? [])])
        .thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps))
        .targets(
          options.queries.map(({ expr, legend }, index) =>
            shape(
              new DataqueryBuilder()
                .expr(expr)
                .legendFormat(legend)
                .refId(String.fromCharCode(65 + index))
                .datasource(datasource),
            ),
          ),
        );
    },
  };
}
