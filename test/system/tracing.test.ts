/** Traces as a collector sees them, of processes that run the built program with `sluice/tracing` loaded before. */
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { eventually } from '../support/eventually.js';
import { type CollectedSpan, type Collector, startCollector } from '../support/otlp.js';
import { type Sink, type SinkAnswer, type SinkRequest, startSink } from '../support/sink.js';
import { startSluice } from '../support/sluice.js';
import { openStage, type Stage } from './stage.js';

const REMOTE = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
const traceparent = `00-${REMOTE.traceId}-${REMOTE.spanId}-01`;

describe('traces', function () {
  this.timeout(120_000);
  let stage: Stage;
  let sink: Sink;
  let collector: Collector;
  let answer: (request: SinkRequest) => SinkAnswer;
  let calls: SinkRequest[];
  let setting: Readonly<Record<string, string>>;
  before(async () => {
    collector = await startCollector();
    setting = {
      NODE_OPTIONS: '--import sluice/tracing',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: '50',
      RETRY_BASE_MS: '1',
      RETRY_MAX_MS: '1',
    };
    stage = await openStage({ env: setting });
    sink = await startSink((call) => {
      calls.push(call);
      return answer(call);
    });
    await stage.serve({ OTEL_SERVICE_NAME: 'shop-ingestion' });
    await stage.work();
    await stage.record();
  });
  beforeEach(() => {
    calls = [];
    answer = () => ({ status: 204 });
  });
  after(async () => {
    await stage.close();
    await sink.close();
    await collector.close();
  });

  const push = (fields: object = {}): object => ({
    type: 'http.push',
    payload: { url: `${sink.url}/private-path?key=secret-in-url` },
    ...fields,
  });
  /** The spans that belong to one job, once there are so many of a kind. */
  async function spansOf(
    id: string,
    kind: CollectedSpan['kind'],
    count = 1,
  ): Promise<readonly CollectedSpan[]> {
    const isOfJob = (span: CollectedSpan): boolean => span.attributes['messaging.message.id'] === id;
    const [own] = await collector.until(1, isOfJob);
    return collector.until(count, (span) => span.traceId === own?.traceId && span.kind === kind);
  }
  async function spanOf(id: string, kind: CollectedSpan['kind']): Promise<CollectedSpan> {
    const [span] = await spansOf(id, kind);
    if (span === undefined) throw new Error(`no ${kind} span of ${id}`);
    return span;
  }

  it('lead from the request through the queue and the handler to the call it makes', async () => {
    const id = await stage.submit(push());
    const outgoing = await spanOf(id, 'CLIENT');
    const process = await spanOf(id, 'CONSUMER');
    const publish = await spanOf(id, 'PRODUCER');
    const request = await spanOf(id, 'SERVER');

    expect(request.parentSpanId).to.equal('');
    expect([publish, process, outgoing].map((span) => span.parentSpanId)).to.deep.equal(
      [request, publish, process].map((span) => span.spanId),
    );
    expect(request.attributes).to.include({
      'http.request.method': 'POST',
      'http.route': '/v1/jobs',
      'http.response.status_code': 202,
      'server.address': '127.0.0.1',
    });
    expect(request.resource).to.include({ 'service.name': 'shop-ingestion' });
    const destination = `${stage.prefix}.jobs:default.normal`;
    expect(publish.name).to.equal(`publish ${destination}`);
    expect(publish.attributes).to.include({
      'messaging.system': 'rabbitmq',
      'messaging.destination.name': destination,
      'messaging.rabbitmq.destination.routing_key': 'default.normal',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.message.id': id,
    });
    expect(process.name).to.equal(`process ${destination}:${stage.prefix}.jobs.default.normal`);
    expect(process.attributes).to.include({
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.message.id': id,
      'sluice.job.type': 'http.push',
      'sluice.job.outcome': 'succeeded',
    });
    expect(process.resource).to.include({ 'service.name': 'sluice' });
    expect(outgoing.name).to.equal('POST');
    expect(outgoing.attributes).to.include({
      'http.request.method': 'POST',
      'server.address': '127.0.0.1',
      'http.response.status_code': 204,
    });
    // The endpoint goes on with the same trace.
    expect(calls[0]?.headers['traceparent']).to.equal(`00-${outgoing.traceId}-${outgoing.spanId}-01`);
    expect([request, publish, process, outgoing].some(({ isError }) => isError)).to.equal(false);
    expect(JSON.stringify(collector.spans)).not.to.include('private-path').and.not.include('secret-in-url');
  });

  it('go on with the trace of the client, and the row tells its id', async () => {
    const { body } = await stage.call('POST', '/v1/jobs', push(), { traceparent, tracestate: 'shop=7' });
    const request = await spanOf(body.id, 'SERVER');
    expect(request).to.include({ traceId: REMOTE.traceId, parentSpanId: REMOTE.spanId });
    expect(await spanOf(body.id, 'CLIENT')).to.include({ traceId: REMOTE.traceId });
    expect(calls[0]?.headers['tracestate']).to.equal('shop=7');
    const row = await stage.call('GET', `/v1/jobs/${body.id}?wait=30`);
    expect(row.body).to.include({ state: 'succeeded', traceId: REMOTE.traceId });
  });

  it('of a key are begun by the request that makes the job, and its twin makes none', async () => {
    const key = { 'idempotency-key': 'order-7' };
    const first = await stage.call('POST', '/v1/jobs', push(), key);
    const { traceId } = await spanOf(first.body.id, 'CLIENT');
    const second = await stage.call('POST', '/v1/jobs', push(), key);
    expect(second.body.id).to.equal(first.body.id);
    await collector.until(
      2,
      (span) => span.kind === 'SERVER' && span.attributes['http.route'] === '/v1/jobs',
    );
    expect(await spansOf(first.body.id, 'PRODUCER')).to.have.length(1);
    const row = await stage.call('GET', `/v1/jobs/${first.body.id}?wait=30`);
    expect(row.body).to.include({ traceId });
  });

  it('show each attempt, what failed, the retry and the death, all below one publish', async () => {
    answer = () => ({ status: 503 });
    const id = await stage.submit(push({ maxAttempts: 2 }));
    const publish = await spanOf(id, 'PRODUCER');
    const attempts = await spansOf(id, 'CONSUMER', 2);
    expect(attempts.map((span) => span.attributes['sluice.job.attempt'])).to.have.members([1, 2]);
    expect(attempts.map((span) => span.parentSpanId)).to.deep.equal([publish.spanId, publish.spanId]);
    expect(attempts.every(({ isError }) => isError)).to.equal(true);
    const [first, second] = attempts.toSorted(
      (a, b) => Number(a.attributes['sluice.job.attempt']) - Number(b.attributes['sluice.job.attempt']),
    );
    expect(first?.attributes).to.include({ 'sluice.job.outcome': 'retried', 'error.type': 'Error' });
    expect(first?.events.map(({ name }) => name)).to.deep.equal(['exception', 'sluice.job.retried']);
    expect(first?.events[0]?.attributes['exception.message']).to.include('answered 503');
    expect(second?.attributes).to.include({ 'sluice.job.outcome': 'dead' });
    expect(second?.events.map(({ name }) => name)).to.deep.equal(['exception', 'sluice.job.dead']);
    expect(second?.events[1]?.attributes).to.deep.equal({ 'sluice.job.death_reason': 'exhausted' });
    const failedCalls = await spansOf(id, 'CLIENT', 2);
    expect(failedCalls.map((span) => span.attributes['error.type'])).to.deep.equal(['503', '503']);
  });

  it('of a replay begin with its request', async () => {
    answer = () => ({ status: 410 });
    const id = await stage.submit(push());
    await eventually(async () => (await stage.call('GET', `/v1/jobs/${id}?wait=30`)).body.state === 'dead');
    answer = () => ({ status: 204 });
    await stage.call('POST', `/v1/jobs/${id}/replay`);
    const [second] = await collector.until(
      1,
      ({ attributes }) =>
        attributes['messaging.message.id'] === id && attributes['sluice.job.outcome'] === 'succeeded',
    );
    expect(second?.attributes['sluice.job.run']).to.equal(2);
    const [request] = await collector.until(1, ({ name }) => name === 'POST /v1/jobs/:id/replay');
    expect(second?.traceId).to.equal(request?.traceId);
  });

  it('of many replays are one for each, linked with the request that ordered them', async () => {
    answer = () => ({ status: 410 });
    const ids = await Promise.all([stage.submit(push()), stage.submit(push())]);
    for (const id of ids) while ((await stage.call('GET', `/v1/jobs/${id}?wait=30`)).body.state !== 'dead');
    answer = () => ({ status: 204 });
    const order = { filter: { ids }, ratePerSecond: 100 };
    expect((await stage.call('POST', '/v1/dead-letters/replay', order)).body.matched).to.equal(2);
    const again = await collector.until(
      2,
      ({ attributes }) =>
        ids.includes(String(attributes['messaging.message.id'])) &&
        attributes['sluice.job.outcome'] === 'succeeded',
    );
    const [request] = await collector.until(1, ({ name }) => name === 'POST /v1/dead-letters/replay');
    expect(new Set([request, ...again].map((span) => span?.traceId)).size).to.equal(3);
    for (const attempt of again) {
      const [publish] = await collector.until(1, ({ spanId }) => spanId === attempt.parentSpanId);
      expect(publish).to.include({ kind: 'PRODUCER', parentSpanId: '' });
      expect(publish?.links).to.deep.equal([{ traceId: request?.traceId, spanId: request?.spanId }]);
    }
  });

  it('of a batch are one for each job, linked with the request', async () => {
    const { body } = await stage.call('POST', '/v1/jobs/batch', [push(), push(), push()], { traceparent });
    const ids: string[] = body.ids;
    const publishes = await Promise.all(ids.map((id) => spanOf(id, 'PRODUCER')));
    const attempts = await Promise.all(ids.map((id) => spanOf(id, 'CONSUMER')));
    const [request] = await collector.until(1, ({ name }) => name === 'POST /v1/jobs/batch');
    expect(request).to.include({ traceId: REMOTE.traceId, parentSpanId: REMOTE.spanId });
    expect(request?.attributes).to.include({ 'messaging.batch.message_count': 3 });
    expect(new Set([request, ...publishes].map((span) => span?.traceId)).size).to.equal(4);
    const there = { traceId: request?.traceId, spanId: request?.spanId };
    for (const publish of publishes) expect(publish).to.deep.include({ parentSpanId: '', links: [there] });
    expect(request?.links).to.have.deep.members(
      publishes.map(({ traceId, spanId }) => ({ traceId, spanId })),
    );
    expect(attempts.map((span) => span.parentSpanId)).to.deep.equal(publishes.map((span) => span.spanId));
  });

  describe('of other processes', () => {
    let other: Stage;
    beforeEach(async () => {
      other = await openStage({ env: setting });
    });
    afterEach(() => other.close());
    const seen = (span: CollectedSpan): boolean =>
      String(span.attributes['messaging.destination.name']).startsWith(other.prefix);

    it('are not made of what is not sampled, and the job runs all the same', async () => {
      const off = { OTEL_TRACES_SAMPLER: 'parentbased_always_off' };
      await other.serve(off);
      await other.work(off);
      const arrived = sink.untilDistinct(sink.counts.size + 1);
      await other.submit(push());
      await arrived;
      expect(calls[0]?.headers).not.to.have.property('traceparent');
      // What a client wants to see is seen; the spans that came before it would be there by now.
      await other.call('POST', '/v1/jobs', push(), { traceparent });
      await collector.until(2, seen);
      expect(new Set(collector.spans.filter(seen).map(({ traceId }) => traceId))).to.deep.equal(
        new Set([REMOTE.traceId]),
      );
    });

    it('show no secret of the settings, though a handler puts it into its error', async () => {
      const own = {
        HANDLERS: fileURLToPath(new URL('fixtures/leaking.mjs', import.meta.url)),
        SMTP_URL: 'smtp://mailer:smtp-password-4711@127.0.0.1:1',
        SMTP_FROM: 'jobs@example.com',
      };
      await other.serve(own);
      await other.work(own);
      await other.submit({ type: 'test.leak', payload: {} });
      const [attempt] = await collector.until(1, (span) => seen(span) && span.kind === 'CONSUMER');
      expect(JSON.stringify(attempt)).to.include('cannot reach smtp://***@127.0.0.1:1');
      expect(JSON.stringify(attempt)).not.to.include('smtp-password-4711');
    });

    it('are as the log says where their variables cannot be used, and jobs are taken', async () => {
      const serving = await other.serving({
        OTEL_TRACES_SAMPLER: 'nonsense',
        OTEL_EXPORTER_OTLP_ENDPOINT: 'not a url',
        OTEL_PROPAGATORS: 'b3',
        // The SDK alone would fill the memory with batches of no span.
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '0',
      });
      await serving.waitForLine(/OTEL_TRACES_SAMPLER value \\"nonsense\\" invalid, defaulting to/);
      await serving.waitForLine(/OTEL_EXPORTER_OTLP_ENDPOINT is no address such as/);
      await serving.waitForLine(/OTEL_PROPAGATORS=b3: sluice\/tracing knows tracecontext, baggage and none/);
      await serving.waitForLine(/OTEL_BSP_MAX_EXPORT_BATCH_SIZE=0: .*512 is taken/);
      expect(await other.submit(push())).to.be.a('string');
      serving.kill();
      expect((await serving.exited).code).to.equal(0);
    });

    it('are not made without the SDK: the start ends, and says what to install', async () => {
      const without = fileURLToPath(new URL('fixtures/without-sdk.mjs', import.meta.url));
      const { exited, stderr } = startSluice(['work'], {
        NODE_OPTIONS: `--import ${without} --import sluice/tracing`,
        AMQP_URL: 'amqp://127.0.0.1:1',
        DATA_DIR: other.dataDir,
      });
      expect((await exited).code).to.equal(2);
      expect(stderr).to.have.length(1);
      expect(JSON.parse(stderr[0] ?? '').msg).to.match(
        /^sluice\/tracing needs packages that are not installed: npm install @opentelemetry\/sdk-trace-node@2 /,
      );
    });

    it('that have just ended are sent before a stop', async () => {
      await other.serve();
      const worker = await other.work({ OTEL_BSP_SCHEDULE_DELAY: '600000' });
      const id = await other.submit(push());
      while (sink.counts.get(id) === undefined) await sink.untilDistinct(sink.counts.size + 1);
      worker.kill();
      expect((await worker.exited).code).to.equal(0);
      expect(collector.spans.filter((span) => seen(span) && span.kind === 'CONSUMER')).to.have.length(1);
    });

    it('cost no job when the collector refuses them, whose key is not told', async () => {
      const refusing = await startCollector({ refuse: 400 });
      await other.serve();
      const worker = await other.work({
        OTEL_EXPORTER_OTLP_ENDPOINT: refusing.url,
        OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer collector-key-0815',
      });
      await other.submit(push());
      const line = await worker.waitForLine(/"level":"error".*"from":"opentelemetry"/);
      worker.kill();
      expect((await worker.exited).code).to.equal(0);
      expect(calls).to.have.length(1);
      expect(line).to.include('400');
      expect(worker.stderr.join('\n')).not.to.include('collector-key-0815');
      await refusing.close();
    });
  });
});
