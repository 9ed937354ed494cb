import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { expect } from 'chai';
import { Agent } from 'undici';
import { type Call, follow } from '../../workers/follow.js';
import { smtpCall } from '../../workers/outgoing.js';
import { type Sink, type SinkRequest, startSink } from '../support/sink.js';

describe('an outgoing call', () => {
  const exporter = new InMemorySpanExporter();
  let sink: Sink;
  let calls: SinkRequest[];
  let agent: Agent;
  beforeEach(async () => {
    new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
    calls = [];
    agent = new Agent();
    sink = await startSink((call) => {
      calls.push(call);
      return call.path === '/moved' ? { status: 307, headers: { location: '/here' } } : { status: 404 };
    });
  });
  afterEach(async () => {
    exporter.reset();
    trace.disable();
    context.disable();
    propagation.disable();
    await agent.close();
    await sink.close();
  });

  /** As a handler calls it, within the span of its attempt. */
  function inAttempt<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    const attempt = trace.getTracer('test').startSpan('attempt');
    return context.with(trace.setSpan(context.active(), attempt), call).finally(() => attempt.end());
  }
  const send = (path: string, headers: Record<string, string> = {}) => {
    const url = new URL(path, sink.url);
    const call: Call = { url, method: 'POST', headers, body: '1', signal: new AbortController().signal };
    return follow(call, {}, agent);
  };
  const seen = () => exporter.getFinishedSpans().filter(({ kind }) => kind === SpanKind.CLIENT);

  it('is a span for each hop of a redirect, each of which carries its own', async () => {
    await (await inAttempt(() => send('/moved'))).body.dump();
    const [first, second] = seen();
    expect(first?.attributes).to.include({ 'http.response.status_code': 307 });
    expect(second?.attributes).to.include({
      'http.request.resend_count': 1,
      'http.response.status_code': 404,
      'error.type': '404',
    });
    expect(second?.status.code).to.equal(SpanStatusCode.ERROR);
    expect(calls.map(({ headers }) => headers['traceparent'])).to.deep.equal(
      [first, second].map((span) => `00-${span?.spanContext().traceId}-${span?.spanContext().spanId}-01`),
    );
  });

  it('keeps the trace that the job itself brings', async () => {
    const own = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';
    await (await inAttempt(() => send('/', { traceparent: own }))).body.dump();
    expect(calls[0]?.headers['traceparent']).to.equal(own);
  });

  it('is no span outside an attempt', async () => {
    await (await send('/')).body.dump();
    expect(seen()).to.deep.equal([]);
    expect(calls[0]?.headers).not.to.have.property('traceparent');
  });

  it('of a mail names the server, without its user and password, and what went wrong', async () => {
    const refused = Object.assign(new Error('550'), { name: 'Refusal' });
    const mail = inAttempt(() =>
      smtpCall('smtp://user:mail-password@mail.example', () => Promise.reject(refused)),
    );
    expect(await mail.catch((error: unknown) => error)).to.equal(refused);
    const [span] = seen();
    expect(span?.attributes).to.deep.equal({
      'network.protocol.name': 'smtp',
      'server.address': 'mail.example',
      'server.port': 587,
      'error.type': 'Refusal',
    });
    expect(span?.status.code).to.equal(SpanStatusCode.ERROR);
  });
});
