/**
 * A span's context as messages carry it: W3C Trace Context, whatever propagators are set for calls to others, since the
 * message format is a contract (design.md, section 5).
 */
import { createTraceState, isSpanContextValid, type SpanContext, TraceFlags } from '@opentelemetry/api';

export interface Carried {
  readonly traceparent?: string;
  readonly tracestate?: string;
}

const form = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/;

/** Undefined where there is none, or none that makes sense: another program may have published the message. */
export function contextIn({ traceparent, tracestate }: Carried): SpanContext | undefined {
  if (traceparent === undefined) return undefined;
  const [, traceId = '', spanId = '', flags = ''] = form.exec(traceparent) ?? [];
  const context: SpanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED,
    isRemote: true,
    ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
  };
  return isSpanContextValid(context) ? context : undefined;
}

/** The same, of a span that somebody collects. */
export function sampledIn(carried: Carried): SpanContext | undefined {
  const found = contextIn(carried);
  return found !== undefined && (found.traceFlags & TraceFlags.SAMPLED) !== 0 ? found : undefined;
}

export function carriedOf({ traceId, spanId, traceFlags, traceState }: SpanContext): Carried {
  const traceparent = `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`;
  const tracestate = traceState?.serialize() ?? '';
  return tracestate === '' ? { traceparent } : { traceparent, tracestate };
}
