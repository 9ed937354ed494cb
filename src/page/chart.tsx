/** Lines over time, drawn by uPlot; what they say now stands beside them as text. */
import type { AlignedData, Options, default as Plot } from 'uplot';
import { rate } from './format.js';
import { h, type JSX, useEffect, useRef } from './lib/preact.js';
import uPlot from './lib/uplot.js';

export interface Line {
  readonly name: string;
  /** A custom property of the style sheet. */
  readonly color: string;
  readonly isFilled?: boolean;
  /** One for each time; null where nobody looked. */
  readonly values: readonly (number | null)[];
}

export interface ChartProps {
  readonly title: string;
  readonly unit: string;
  /** In s since the epoch. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
}

const HEIGHT = 170;
/** So that the first minutes are not drawn as if they were an hour. */
const SHORTEST_S = 120;
const dark = matchMedia('(prefers-color-scheme: dark)');

export function Chart({ title, unit, times, lines }: ChartProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot>();
  const data = [times, ...lines.map(({ values }) => values)] as unknown as AlignedData;
  const latest = useRef(data);
  latest.current = data;
  const now = lines.map(({ name, values }) => `${name} ${rate(values.at(-1) ?? 0)}${unit}`);

  // The lines of a chart stay the same; their values are set below.
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    function draw(): void {
      plot.current?.destroy();
      const width = element?.clientWidth ?? 0;
      plot.current = new uPlot(optionsOf(lines, width), latest.current, element ?? undefined);
    }
    draw();
    const resized = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    resized.observe(element);
    dark.addEventListener('change', draw);
    return () => {
      resized.disconnect();
      dark.removeEventListener('change', draw);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, []);
  useEffect(() => plot.current?.setData(data));

  return (
    <figure class="chart">
      <figcaption>
        <span class="title">{title}</span>
        {lines.map(({ name, color, values }) => (
          <span key={name} class="key">
            <i class={`swatch ${color.slice(2)}`} /> {name} <b>{rate(values.at(-1) ?? 0)}</b>
            {unit}
          </span>
        ))}
      </figcaption>
      <div ref={box} role="img" aria-label={`${title} over time; now ${now.join(', ')}`} />
    </figure>
  );
}

function optionsOf(lines: readonly Line[], width: number): Options {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: color('--faint'),
    font: '11px system-ui, sans-serif',
    ticks: { show: false },
    grid: { stroke: color('--line'), width: 1 },
  };
  return {
    width,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 6 }, y: false },
    scales: {
      x: { range: (_, min, max) => [Math.min(min, max - SHORTEST_S), max] },
      y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: 80,
        size: 28,
        values: (_, at, __, ___, apartS) => at.map((s) => clockTime(s, apartS)),
      },
      { ...axis, size: 46, values: (_, at) => at.map((value) => rate(value)) },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.name,
        stroke: color(line.color),
        width: 2,
        points: { show: false },
        ...(line.isFilled ? { fill: `${color(line.color)}22` } : {}),
      })),
    ],
  };
}

function clockTime(atS: number, apartS: number): string {
  const time = new Date(atS * 1000).toLocaleTimeString('en-GB');
  return apartS < 60 ? time : time.slice(0, 5);
}
