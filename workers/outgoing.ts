/** Calls to other services as spans (CLIENT), where the handler runs within one; the trace goes along. Else nothing is made. */
import {
  type Attributes,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';

/**
 * One HTTP request, one hop of a redirect. The URL is told by its origin alone, as in messages: its path may hold a key.
 * @param call  is given the headers that carry the trace
 */
export function httpCall<Answer extends { readonly statusCode: number }>(
  { method, url, hop }: { readonly method: string; readonly url: URL; readonly hop: number },
  call: (traceHeaders: Readonly<Record<string, string>>) => Promise<Answer>,
): Promise<Answer> {
  const about = {
    'http.request.method': method,
    'url.scheme': url.protocol.slice(0, -1),
    ...addressOf(url, url.protocol === 'https:' ? 443 : 80),
    ...(hop > 0 && { 'http.request.resend_count': hop }),
  };
  return outgoing(method, about, call, (span, { statusCode }) => {
    span.setAttribute('http.response.status_code', statusCode);
    if (statusCode < 400) return;
    span.setAttribute('error.type', String(statusCode)).setStatus({ code: SpanStatusCode.ERROR });
  });
}

/** The sending of one mail, over a connection that others may share. */
export function smtpCall<Sent>(server: string, call: () => Promise<Sent>): Promise<Sent> {
  const url = new URL(server);
  const about = { 'network.protocol.name': 'smtp', ...addressOf(url, url.protocol === 'smtps:' ? 465 : 587) };
  return outgoing('SMTP', about, call, () => {});
}

async function outgoing<Answer>(
  name: string,
  attributes: Attributes,
  call: (traceHeaders: Readonly<Record<string, string>>) => Promise<Answer>,
  answered: (span: Span, answer: Answer) => void,
): Promise<Answer> {
  const within = context.active();
  // Not a root of its own: whether a job is looked at was decided when it came in.
  if (trace.getSpan(within) === undefined) return call({});
  const span = trace.getTracer('sluice').startSpan(name, { kind: SpanKind.CLIENT, attributes }, within);
  const inSpan = trace.setSpan(within, span);
  const headers: Record<string, string> = {};
  propagation.inject(inSpan, headers);
  try {
    const answer = await context.with(inSpan, () => call(headers));
    answered(span, answer);
    return answer;
  } catch (error) {
    const type = error instanceof Error ? error.name : 'error';
    span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

function addressOf({ hostname, port }: URL, usualPort: number): Attributes {
  return { 'server.address': hostname, 'server.port': port === '' ? usualPort : Number(port) };
}
