/** Times as texts. */

let writtenMs = Number.NaN;
let written = '';

/**
 * `atMs` since the epoch in ISO 8601. Jobs of a burst share their millisecond, and writing one costs half a microsecond.
 * @throws RangeError  beyond `lastMs`
 */
export function isoTime(atMs: number): string {
  if (atMs !== writtenMs) {
    written = new Date(atMs).toISOString();
    writtenMs = atMs;
  }
  return written;
}
