/** A different one goes first in each round, so that what a round does to the machine does not always hit the same. */
export function rotated<Item>(items: readonly Item[], round: number): Item[] {
  const first = round % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
