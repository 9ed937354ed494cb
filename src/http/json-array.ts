/** Splits the bytes of a JSON array into the bytes of its items, so that each is read, checked and kept like a single job. */
import { endOfString, isSpace, trimmed } from './json.js';
import { Rejection } from './problem.js';

const BYTE_ORDER_MARK = 3;

/**
 * Yields each item's bytes (views, no copies). An item is not checked: brackets inside it may be mixed up, which its own parse finds.
 * @throws Rejection malformed_json  not an array, or not separated and closed as one
 */
export function* itemsOf(bytes: Buffer): Generator<Buffer> {
  let at = skipSpace(
    bytes,
    bytes.subarray(0, BYTE_ORDER_MARK).toString('latin1') === '\u00ef\u00bb\u00bf' ? 3 : 0,
  );
  if (bytes[at] !== 0x5b) throw malformed('a batch of application/json must be an array of jobs');
  at = skipSpace(bytes, at + 1);
  if (bytes[at] !== 0x5d) {
    for (let index = 0; ; index++) {
      const end = endOfItem(bytes, at);
      if (end >= bytes.length) throw malformed('the array is not closed');
      const item = trimmed(bytes, at, end);
      if (item.length === 0) throw malformed(`item ${index} is empty`);
      yield item;
      at = end;
      if (bytes[at] === 0x5d) break;
      at++;
    }
  }
  if (skipSpace(bytes, at + 1) < bytes.length) throw malformed('there is more after the end of the array');
}

/** The comma or closing bracket that ends the item which starts at `from`; past the end when there is none. */
function endOfItem(bytes: Buffer, from: number): number {
  let depth = 0;
  let at = from;
  for (; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === 0x22) at = endOfString(bytes, at);
    else if (byte === 0x7b || byte === 0x5b) depth++;
    else if (depth === 0 && (byte === 0x2c || byte === 0x5d)) return at;
    else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return at;
}

function skipSpace(bytes: Buffer, from: number): number {
  let at = from;
  while (isSpace(bytes[at])) at++;
  return at;
}

function malformed(detail: string): Rejection {
  return new Rejection('malformed_json', detail);
}
