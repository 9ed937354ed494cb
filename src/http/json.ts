/** Bytes to JSON: checks UTF-8, syntax, poisoned keys and depth, and finds the bytes of a payload, so that it need not be encoded again. */
import { isUtf8 } from 'node:buffer';
import secureJson from 'secure-json-parse';
import { Rejection } from './problem.js';

/** Objects and arrays inside each other. Deeper documents cost recursion in every later reader and serve no job we know of. */
export const maxDepth = 64;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

export interface ParsedJson {
  readonly value: unknown;
  /**
   * The bytes of the value of the top-level key `payload` as they came (a view, no copy): numbers beyond a double's precision
   * and the order of keys stay as the client wrote them. Undefined when there is none.
   */
  readonly payload: Buffer | undefined;
}

/**
 * Reads one JSON document (RFC 8259).
 * @throws Rejection malformed_json   not UTF-8, or not JSON
 * @throws Rejection invalid_request  deeper than `maxDepth`, or with keys that poison prototypes
 */
export function parseJson(bytes: Buffer): ParsedJson {
  if (!isUtf8(bytes)) throw new Rejection('malformed_json', 'the body is not UTF-8');
  let value: unknown;
  try {
    value = secureJson.parse(bytes.toString('utf8'));
  } catch (error) {
    throw rejectionOfSyntax(error);
  }
  return { value, payload: payloadOf(bytes) };
}

function rejectionOfSyntax(error: unknown): Rejection {
  const message = error instanceof Error ? error.message : String(error);
  if (message.includes('forbidden prototype property')) {
    return new Rejection(
      'invalid_request',
      "the keys '__proto__' and 'constructor.prototype' are not allowed",
    );
  }
  return new Rejection('malformed_json', `not JSON: ${message}`, { cause: error });
}

/** One pass over a document already known to be valid: depth, and the extent of the last top-level `payload` (as JSON.parse, the last wins). */
function payloadOf(bytes: Buffer): Buffer | undefined {
  let depth = 0;
  let keyStart = 0;
  let keyEnd = 0;
  let isKeyNext = false;
  let valueStart = -1;
  let payload: Buffer | undefined;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      const start = at;
      at = endOfString(bytes, at);
      if (isKeyNext && depth === 1) {
        keyStart = start;
        keyEnd = at + 1;
      }
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
      if (depth > maxDepth) throw new Rejection('invalid_request', `nested deeper than ${maxDepth} levels`);
      isKeyNext = depth === 1 && byte === OPEN_BRACE;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth === 1 && valueStart >= 0) payload = trimmed(bytes, valueStart, at);
      depth--;
    } else if (depth === 1) {
      if (byte === COLON) {
        isKeyNext = false;
        valueStart = isPayloadKey(bytes, keyStart, keyEnd) ? at + 1 : -1;
      } else if (byte === COMMA) {
        if (valueStart >= 0) payload = trimmed(bytes, valueStart, at);
        valueStart = -1;
        isKeyNext = true;
      }
    }
  }
  return payload;
}

/** From an opening quote to its closing one; past the end when there is none. */
export function endOfString(bytes: Buffer, open: number): number {
  let at = open + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

const payloadKey = Buffer.from('"payload"');

function isPayloadKey(bytes: Buffer, start: number, end: number): boolean {
  if (end - start === payloadKey.length) return payloadKey.compare(bytes, start, end) === 0;
  // A key may be spelled with escapes, as in "p\u0061yload".
  if (end - start < payloadKey.length || bytes.indexOf(BACKSLASH, start) >= end) return false;
  const key = bytes.toString('utf8', start, end);
  return key.includes('\\') && JSON.parse(key) === 'payload';
}

export function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

export function trimmed(bytes: Buffer, start: number, end: number): Buffer {
  let from = start;
  let to = end;
  while (from < to && isSpace(bytes[from])) from++;
  while (to > from && isSpace(bytes[to - 1])) to--;
  return bytes.subarray(from, to);
}
