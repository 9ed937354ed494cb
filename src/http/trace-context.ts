/** W3C Trace Context (https://www.w3.org/TR/trace-context/): what is carried from a request to its jobs, and what is dropped as malformed. */
import type { IncomingHttpHeaders } from 'node:http';

export interface TraceContext {
  readonly traceparent?: string;
  readonly tracestate?: string;
}

const none: TraceContext = {};

/** version 00 ends after the flags; a later version may go on after a dash (section 3.2). */
const traceparentPattern =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.{1,200})?$/;

/** Section 3.3.1: key, or tenant@system; a value is printable ASCII without comma and equals sign, not ending in a space. */
const memberPattern =
  /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const MAX_MEMBERS = 32;
/** What we carry at most, in characters; the standard asks for 512 at least. */
const MAX_TRACESTATE = 1024;

/** A malformed traceparent, and with it any tracestate, is ignored, as the standard demands; so is a malformed tracestate alone. */
export function traceContextOf(headers: IncomingHttpHeaders): TraceContext {
  const traceparent = headers['traceparent'];
  if (typeof traceparent !== 'string' || !isTraceparent(traceparent)) return none;
  const joined = headers['tracestate'];
  const tracestate = Array.isArray(joined) ? joined.join(',') : joined;
  return tracestate !== undefined && isTracestate(tracestate) ? { traceparent, tracestate } : { traceparent };
}

function isTraceparent(value: string): boolean {
  return traceparentPattern.test(value) && (value.length === 55 || !value.startsWith('00'));
}

function isTracestate(value: string): boolean {
  if (value.length > MAX_TRACESTATE) return false;
  const members = value
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '');
  const keys = new Set(members.map((member) => member.slice(0, member.indexOf('='))));
  return (
    members.length > 0 &&
    members.length <= MAX_MEMBERS &&
    keys.size === members.length &&
    members.every((member) => memberPattern.test(member))
  );
}
