/** The ratios of a bench as a picture: a bar for each comparison, and where its goal lies. */
import { type Comparison, ratio } from './report.js';

const WIDTH = 880;
const LINE = 30;
const TOP = 34;
/** Where the bars begin and end; to the left of them stands what is compared. */
const [FROM, TO] = [470, 820];
/** Longer bars are cut, and say so by their number. */
const MOST = 2;

/** @returns an SVG that reads on light and on dark ground */
export function chart(comparisons: readonly Comparison[]): string {
  const height = TOP + comparisons.length * LINE + 12;
  const rows = comparisons.map((comparison, index) => rowOf(comparison, TOP + index * LINE));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Sluice beside its references">
<style>
text{font:13px system-ui,sans-serif;fill:#24292f}
.dim{fill:#6e7781;font-size:11px}
.reached{fill:#2da44e}.missed{fill:#bf8700}
.goal{stroke:#24292f;stroke-width:2}.one{stroke:#8c959f;stroke-dasharray:3 3}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.dim{fill:#8d96a0}.goal{stroke:#e6edf3}}
</style>
<text x="${FROM}" y="16" class="dim">rate of Sluice : rate of the reference; the black mark is the goal</text>
<line class="one" x1="${at(1)}" x2="${at(1)}" y1="${TOP - 10}" y2="${height - 8}"/>
${rows.join('\n')}
</svg>
`;
}

function rowOf(comparison: Comparison, y: number): string {
  const { what, unit, reference, goal } = comparison;
  const reached = ratio(comparison);
  const end = at(reached);
  return [
    `<text x="8" y="${y + 8}">${escaped(`${what} (${unit})`)}</text>`,
    `<text x="8" y="${y + 21}" class="dim">${escaped(`beside ${reference}`)}</text>`,
    `<rect class="${reached >= goal ? 'reached' : 'missed'}" x="${FROM}" y="${y}" width="${(end - FROM).toFixed(1)}" height="16" rx="2"/>`,
    `<line class="goal" x1="${at(goal)}" x2="${at(goal)}" y1="${y - 3}" y2="${y + 19}"/>`,
    `<text x="${TO + 8}" y="${y + 12}">${reached.toFixed(2)}</text>`,
  ].join('');
}

function at(value: number): number {
  return Number((FROM + (Math.min(value, MOST) / MOST) * (TO - FROM)).toFixed(1));
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
