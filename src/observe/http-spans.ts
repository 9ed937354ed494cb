/** Spans of requests (SERVER) and of the publishes in them (PRODUCER). */

import type { IncomingMessage } from 'node:http';
import {
  type Context,
  context,
  type Link,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { HttpSpans, PublishSpan, RequestSpan } from '../http/spans.js';
import { traceContextOf } from '../http/trace-context.js';
import type { Job } from '../job/job.js';
import type { Messaging } from './messaging.js';
import { failed, jobAttributes } from './span-attributes.js';
import { carriedOf, contextIn } from './trace-parent.js';

/** Asked every few seconds for ever, by machines. */
const unseenRoutes = new Set(['/livez', '/readyz', '/metrics']);
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/** As the HTTP side says it: the client left before its answer. */
const CLIENT_GONE = 499;
/** What a span keeps of links unless it is set otherwise (OTEL_SPAN_LINK_COUNT_LIMIT). */
const MOST_LINKS = 128;

export function createHttpSpans(tracer: Tracer, messaging: Messaging): HttpSpans {
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
      publish(job, isItem) {
        if (isItem) {
          items += 1;
          return itemSpan(span, job, items);
        }
        // Not seen, so neither is what belongs to it; the job keeps the context that its client gave it.
        return span.isRecording() ? publishSpan(job, within, []) : undefined;
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

  /**
   * A trace of its own that links to the request: a batch of thousands would be one trace that nobody can read, and would be
   * sampled as a whole or not at all.
   */
  function itemSpan(request: Span, job: Job, index: number): PublishSpan | undefined {
    const links = request.isRecording() ? [{ context: request.spanContext() }] : [];
    const item = publishSpan(job, context.active(), links, true);
    if (item.isRecording && index <= MOST_LINKS) request.addLink({ context: item.context });
    // Not seen: what a client said of its batch would bring each job into the client's trace again.
    return item.isRecording || job.traceparent !== undefined ? item : undefined;
  }

  function publishSpan(job: Job, parent: Context, links: Link[], isRoot = false) {
    const destination = messaging.published(job);
    const options = { kind: SpanKind.PRODUCER, root: isRoot, links };
    const span = tracer.startSpan(`publish ${destination}`, options, parent);
    if (span.isRecording()) {
      span.setAttributes({
        ...jobAttributes(job, messaging.system, destination),
        'messaging.operation.name': 'publish',
        'messaging.operation.type': 'send',
      });
    }
    const { tracestate: _former, ...rest } = job;
    return {
      job: { ...rest, ...carriedOf(span.spanContext()) },
      context: span.spanContext(),
      isRecording: span.isRecording(),
      end(error?: unknown) {
        if (error !== undefined) failed(span, error);
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
