/** Finds names that were meant to be a setting: a typo, a `SLUICE_` too many. Names of other programs must not be found. */

/** A name that can be set; `wouldTake` tells whether a value would do for it. */
export interface KnownName {
  readonly name: string;
  wouldTake(value: string): boolean;
}

/**
 * The setting that `name` was probably meant to be, or undefined for a name that belongs to somebody else. The shorter a
 * name, the more foreign names lie near it (`SFTP_URL`, `QUEUE`, `API_KEY`), so there the value decides as well:
 *
 *   letters of the setting   | near by the name alone           | near if the value would do, too
 *   up to 5 (HOST, PORT)     | -                                | two neighbours swapped
 *   6 to 9 (AMQP_URL)        | two neighbours swapped, case, _  | one letter more, less or other
 *   10 and 11 (WORKER_PORT)  | one letter, words in other order |
 *   from 12                  | two letters, the same            |
 */
export function nearestName(name: string, value: string, known: readonly KnownName[]): string | undefined {
  if (isServiceLink(name, value)) return undefined;
  const bare = /^SLUICE_(.+)$/.exec(name)?.[1];
  const meant = bare === undefined ? undefined : known.find((one) => one.name === bare);
  if (meant !== undefined) return meant.name;
  for (const one of known) {
    if (isNear(name, value, one) || (bare !== undefined && isNear(bare, value, one))) return one.name;
  }
  return undefined;
}

function isNear(name: string, value: string, known: KnownName): boolean {
  const length = known.name.length;
  if (Math.abs(name.length - length) > 2) return false;
  const distance = editDistance(name, known.name);
  const isSwap = distance === 1 && sorted([...name]) === sorted([...known.name]);
  if (length < 6) return isSwap && known.wouldTake(value);
  const hasManyWords = known.name.includes('_');
  if (hasManyWords && withoutSeparators(name) === withoutSeparators(known.name)) return true;
  if (length < 10) return isSwap || (distance === 1 && known.wouldTake(value));
  if (sorted(name.split('_')) === sorted(known.name.split('_'))) return true;
  return distance <= (length < 12 ? 1 : 2);
}

/**
 * Variables that Kubernetes and Docker put into every container for a service that happens to be called `sluice`
 * (`SLUICE_PORT=tcp://10.0.0.1:80`, `SLUICE_SERVICE_HOST`, `SLUICE_PORT_80_TCP_ADDR`).
 */
export function isServiceLink(name: string, value: string): boolean {
  return (
    /_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?$/.test(name) ||
    /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name) ||
    (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value))
  );
}

function withoutSeparators(name: string): string {
  return name.replace(/[_.-]/g, '').toUpperCase();
}

function sorted(parts: readonly string[]): string {
  return parts.toSorted().join('_');
}

/** Optimal string alignment: letters added, dropped, changed, and neighbours swapped, each counts 1. */
export function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Number.POSITIVE_INFINITY;
  for (let row = 1; row <= a.length; row++) {
    const line = [row];
    rows.push(line);
    for (let column = 1; column <= b.length; column++) {
      const change = a[row - 1] === b[column - 1] ? 0 : 1;
      const isSwapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      line.push(
        Math.min(
          at(row - 1, column) + 1,
          at(row, column - 1) + 1,
          at(row - 1, column - 1) + change,
          isSwapped ? at(row - 2, column - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
  }
  return at(a.length, b.length);
}
