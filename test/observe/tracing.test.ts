import { context, propagation, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  InMemorySpanExporter,
  NodeTracerProvider,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { expect } from 'chai';
import { Refused } from '../../src/job/errors.js';
import { createContextManager } from '../../src/observe/active-span.js';
import { embeddedMessaging } from '../../src/observe/messaging.js';
import { carriedOf, contextIn } from '../../src/observe/trace-parent.js';
import { createTracing, type Tracing } from '../../src/observe/tracing.js';
import { serve } from '../http/support/serve.js';
import { benchOf, jobOf, scriptedHandler } from '../worker/support/pool-bench.js';
import { promisesAreHooked } from './support/promise-hook.js';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const traceparent = `00-${TRACE_ID}-b7ad6b7169203331-01`;

describe('tracing', () => {
  const exporter = new InMemorySpanExporter();
  afterEach(() => {
    exporter.reset();
    trace.disable();
    context.disable();
    propagation.disable();
  });

  function listen(sampler?: Sampler): Tracing {
    const spanProcessors = [new SimpleSpanProcessor(exporter)];
    new NodeTracerProvider({ spanProcessors, ...(sampler && { sampler }) }).register();
    const tracing = createTracing(embeddedMessaging);
    if (tracing === undefined) throw new Error('the SDK was not seen');
    return tracing;
  }
  const spans = (): readonly ReadableSpan[] => exporter.getFinishedSpans();

  it('is not there where nobody listens', () => {
    expect(createTracing(embeddedMessaging)).to.equal(undefined);
  });

  it('shows a publish that is refused as failed, and the request by its status', async () => {
    const served = await serve({ spans: listen().http });
    served.broker.script = () => Promise.reject(new Refused('overloaded', 'the window is full', 1000));
    expect((await served.submit({ type: 'echo', payload: 1 })).status).to.equal(503);
    await served.close();
    const [publish, request] = spans();
    expect(publish?.name).to.equal('publish default.normal');
    expect(publish?.status).to.deep.equal({ code: SpanStatusCode.ERROR, message: 'the window is full' });
    expect(publish?.attributes).to.include({ 'error.type': 'overloaded', 'messaging.system': 'sluice' });
    expect(request?.status.code).to.equal(SpanStatusCode.ERROR);
    expect(request?.attributes).to.include({ 'http.response.status_code': 503, 'error.type': '503' });
  });

  it('names a request by its route, and leaves out what machines ask for ever', async () => {
    const served = await serve({ spans: listen().http });
    await served.ask({ method: 'GET', path: '/livez' });
    await served.ask({ method: 'GET', path: '/nothing/here?key=secret' });
    await served.submit({ type: 'unknown', payload: 1 });
    await served.close();
    expect(spans().map(({ name }) => name)).to.deep.equal(['GET', 'POST /v1/jobs']);
    expect(spans().map(({ attributes }) => attributes['url.path'])).to.deep.equal([
      '/nothing/here',
      '/v1/jobs',
    ]);
    // The client's mistake is none of ours.
    expect(spans().map(({ status }) => status.code)).to.deep.equal([
      SpanStatusCode.UNSET,
      SpanStatusCode.UNSET,
    ]);
  });

  it('leaves a job of an unseen request as its client sent it, or without any context', async () => {
    const served = await serve({ spans: listen(new AlwaysOffSampler()).http });
    await served.submit({ type: 'echo', payload: 1 }, { traceparent, tracestate: 'shop=7' });
    await served.submit({ type: 'echo', payload: 2 });
    await served.close();
    const [first, second] = served.broker.stored;
    expect(first).to.include({ traceparent, tracestate: 'shop=7' });
    expect(second).not.to.have.property('traceparent');
    expect(spans()).to.deep.equal([]);
  });

  it('does not bring the unseen jobs of a batch into the trace of their client', async () => {
    const sampler = new ParentBasedSampler({ root: new AlwaysOffSampler() });
    const served = await serve({ spans: listen(sampler).http });
    const item = JSON.stringify({ type: 'echo', payload: 1 });
    const headers = { 'content-type': 'application/json', traceparent };
    await served.ask({ path: '/v1/jobs/batch', headers, body: `[${item}]` });
    await served.submitLines([item]);
    await served.close();
    const [ofClient, ofNobody] = served.broker.stored;
    expect(ofClient?.traceparent).to.match(/-00$/).and.not.include(TRACE_ID);
    expect(ofNobody).not.to.have.property('traceparent');
    expect(spans().map(({ name }) => name)).to.deep.equal(['POST /v1/jobs/batch']);
  });

  it('runs a handler within the span of its attempt, and shows one that a stop ends as returned', async () => {
    const script = scriptedHandler();
    let within: string | undefined;
    const handler = {
      ...script.handler,
      run(...given: Parameters<typeof script.handler.run>) {
        within = trace.getActiveSpan()?.spanContext().traceId;
        return script.handler.run(...given);
      },
    };
    const { pool, broker, clock } = benchOf([handler], { spans: listen().attempts, graceMs: 10 });
    await pool.start();
    broker.deliver(jobOf({ traceparent }));
    const call = await script.call(0);
    expect(within).to.equal(TRACE_ID);
    expect(trace.getActiveSpan()).to.equal(undefined);
    const stopped = pool.stop();
    call.context.signal.addEventListener('abort', () => call.reject(new Error('aborted')));
    await clock.advance(10);
    await stopped;
    const [attempt] = spans();
    expect(attempt?.attributes).to.include({ 'sluice.job.outcome': 'returned' });
    expect(attempt?.parentSpanContext).to.include({ traceId: TRACE_ID, isRemote: true });
    expect(attempt?.status.code).to.equal(SpanStatusCode.UNSET);
  });

  it('gives back the hook of promises when the last attempt that is seen has ended, and not before', async () => {
    const script = scriptedHandler();
    const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
    provider.register({ contextManager: createContextManager() });
    const { pool, broker } = benchOf([script.handler], {
      spans: createTracing(embeddedMessaging)?.attempts,
    });
    await pool.start();
    const deliveries = [jobOf({ traceparent }), jobOf({ traceparent })].map((job) => broker.deliver(job));
    const [first, second] = [await script.call(0), await script.call(1)];
    first.resolve();
    await deliveries[0]?.settled;
    expect(await promisesAreHooked(), 'one of two still runs').to.equal(true);
    second.reject(new Error('it fails'));
    await deliveries[1]?.settled;
    expect(await promisesAreHooked()).to.equal(false);
    await pool.stop();
  });

  it('makes no span of a job without a context, nor of one whose context makes no sense', async () => {
    const script = scriptedHandler();
    const { pool, broker } = benchOf([script.handler], { spans: listen().attempts });
    await pool.start();
    for (const [index, fields] of [{}, { traceparent: 'nonsense' }].entries()) {
      const delivery = broker.deliver(jobOf(fields));
      (await script.call(index)).resolve();
      await delivery.settled;
    }
    await pool.stop();
    expect(spans()).to.deep.equal([]);
  });

  it('shows a replay of many as a trace of its own that links to the request, if that was seen', () => {
    const { replays } = listen();
    const origin = { traceId: TRACE_ID, spanId: 'b7ad6b7169203331' };
    for (const flags of ['01', '00'])
      replays(jobOf({ run: 2, traceparent: `00-${TRACE_ID}-${origin.spanId}-${flags}` }))?.end();
    replays(jobOf({ run: 2 }))?.end();
    const links = spans().map((span) => span.links.map((link) => link.context.spanId));
    expect(links).to.deep.equal([[origin.spanId], [], []]);
    expect(spans()[0]?.attributes).to.include({ 'sluice.job.run': 2, 'messaging.operation.name': 'publish' });
    expect(spans().map((span) => span.spanContext().traceId)).not.to.include(TRACE_ID);
  });

  it('lets an unseen replay of many go without any context', () => {
    expect(listen(new AlwaysOffSampler()).replays(jobOf({ run: 2 }))).to.equal(undefined);
  });

  const carried = [
    { traceparent },
    { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-00` },
    { traceparent, tracestate: 'shop=7,other=a b' },
  ];
  for (const given of carried) {
    it(`reads ${given.traceparent.slice(-2)} ${given.tracestate ?? ''} from a message and writes it again`, () => {
      const read = contextIn(given);
      expect(read && carriedOf(read)).to.deep.equal(given);
    });
  }

  it('takes no context from a message that carries none', () => {
    const none = [{}, { traceparent: '' }, { traceparent: `00-${'0'.repeat(32)}-b7ad6b7169203331-01` }];
    expect(none.map(contextIn)).to.deep.equal([undefined, undefined, undefined]);
  });
});
