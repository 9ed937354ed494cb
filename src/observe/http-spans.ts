/** Spans of requests (SERVER), and what the publishes in them have to do with them. */
import type { IncomingMessage } from 'node:http';
import {
  type Context,
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { HttpSpans, RequestSpan } from '../http/spans.js';
import { traceContextOf } from '../http/trace-context.js';
import type { PublishSpans } from './publish-spans.js';
import { carriedOf, contextIn } from './trace-parent.js';

/** Asked every few seconds for ever, by machines. */
const unseenRoutes = new Set(['/livez', '/readyz', '/metrics']);
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/** As the HTTP side says it: the client left before its answer. */
const CLIENT_GONE = 499;
/** What a span keeps of links unless it is set otherwise (OTEL_SPAN_LINK_COUNT_LIMIT). */
const MOST_LINKS = 128;

export function createHttpSpans(tracer: Tracer, publishes: PublishSpans): HttpSpans {
  return {
    request(req, route) {
      if (unseenRoutes.has(route)) return undefined;
      const parent = parentOf(req);
      const span = tracer.startSpan(nameOf(req, route), { kind: SpanKind.SERVER }, parent);
      if (span.isRecording()) describe(span, req, route);
      return requestSpan(span, trace.setSpan(parent, span));
    },
  };

  function requestSpan(span: Span, within: Context): RequestSpan {
    let items = 0;
    return {
      get traceparent() {
        return span.isRecording() ? carriedOf(span.spanContext()).traceparent : undefined;
      },
      publish(job, isItem) {
        // Not seen, so neither is what belongs to it; the job keeps the context that its client gave it.
        if (!isItem) return span.isRecording() ? publishes.below(job, within) : undefined;
        items += 1;
        const item = publishes.alone(job, span.isRecording() ? span.spanContext() : undefined);
        if (item?.isRecording && items <= MOST_LINKS) span.addLink({ context: item.context });
        return item;
      },
      end(status) {
        if (items > 0) span.setAttribute('messaging.batch.message_count', items);
        if (status === CLIENT_GONE) span.setAttribute('error.type', 'client_gone');
        else span.setAttribute('http.response.status_code', status);
        if (status >= 500)
          span.setAttribute('error.type', String(status)).setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      },
    };
  }
}

/** An SDK of the user's that shows requests by itself goes first. */
function parentOf(req: IncomingMessage): Context {
  const active = context.active();
  if (trace.getSpan(active) !== undefined) return active;
  const remote = contextIn(traceContextOf(req.headers));
  return remote === undefined ? active : trace.setSpanContext(active, remote);
}

function nameOf({ method = '' }: IncomingMessage, route: string): string {
  const known = methods.has(method) ? method : 'HTTP';
  return route === 'other' ? known : `${known} ${route}`;
}

function describe(
  span: Span,
  { method = '', url = '', httpVersion, headers }: IncomingMessage,
  route: string,
): void {
  span.setAttributes({
    'http.request.method': methods.has(method) ? method : '_OTHER',
    'url.scheme': 'http',
    'url.path': url.replace(/\?.*/s, ''),
    'network.protocol.version': httpVersion,
  });
  if (route !== 'other') span.setAttribute('http.route', route);
  const [, address, port] = /^(.+?)(?::(\d+))?$/.exec(headers.host ?? '') ?? [];
  if (address !== undefined) span.setAttribute('server.address', address);
  if (port !== undefined) span.setAttribute('server.port', Number(port));
  const agent = headers['user-agent'];
  if (agent !== undefined) span.setAttribute('user_agent.original', agent);
}
