import { DiagLogLevel } from '@opentelemetry/api';
import { expect } from 'chai';
import { readOtel } from '../../src/observe/otel-environment.js';
import { createMask } from '../../src/runtime/mask.js';

describe('the variables of OpenTelemetry', () => {
  it('need not be there', () => {
    expect(readOtel({})).to.deep.include({
      isWanted: true,
      level: DiagLogLevel.INFO,
      propagates: true,
      warnings: [],
    });
  });

  it('are taken without a word where they are right', () => {
    const read = readOtel({
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.01',
      OTEL_PROPAGATORS: 'tracecontext, baggage',
      OTEL_LOG_LEVEL: 'WARN',
    });
    expect(read).to.deep.include({
      isWanted: true,
      level: DiagLogLevel.WARN,
      propagates: true,
      warnings: [],
    });
  });

  const silent: [env: Record<string, string>, what: object][] = [
    [{ OTEL_SDK_DISABLED: 'TRUE', OTEL_PROPAGATORS: 'b3' }, { isWanted: false }],
    [{ OTEL_TRACES_EXPORTER: 'none' }, { isWanted: false }],
    [{ OTEL_PROPAGATORS: 'none' }, { isWanted: true, propagates: false }],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }, { isWanted: true }],
  ];
  for (const [env, what] of silent) {
    it(`take ${JSON.stringify(env)} at its word`, () => {
      expect(readOtel(env)).to.deep.include({ ...what, warnings: [] });
    });
  }

  const mistaken: [env: Record<string, string>, warning: RegExp][] = [
    [{ OTEL_TRACES_EXPORTER: 'zipkin' }, /^OTEL_TRACES_EXPORTER=zipkin: .* no spans are sent$/],
    [
      { OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc' },
      /^OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc: .*http\/json/,
    ],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'not a url' }, /^OTEL_EXPORTER_OTLP_ENDPOINT is no address such as/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }, /^OTEL_EXPORTER_OTLP_ENDPOINT is no address such as/],
    [
      { OTEL_TRACES_SAMPLER_ARG: '0.01' },
      /means nothing without OTEL_TRACES_SAMPLER=.*: every request is seen$/,
    ],
    [{ OTEL_PROPAGATORS: 'b3,tracecontext' }, /^OTEL_PROPAGATORS=b3,tracecontext: .* carry traceparent$/],
    [{ OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '0' }, /^OTEL_BSP_MAX_EXPORT_BATCH_SIZE=0: .* 512 is taken$/],
    [{ OTEL_BSP_SCHEDULE_DELAY: '5s' }, /^OTEL_BSP_SCHEDULE_DELAY=5s: .* 5000 is taken$/],
    [{ OTEL_LOG_LEVEL: '30' }, /^OTEL_LOG_LEVEL=30: it is one of none, error, .*; info is taken$/],
  ];
  for (const [env, warning] of mistaken) {
    it(`say what becomes of ${JSON.stringify(env)}`, () => {
      const { warnings, level } = readOtel(env);
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.match(warning);
      expect(level).to.equal(DiagLogLevel.INFO);
    });
  }

  it('of batches are replaced where they cannot be, and the SDK reads the others', () => {
    const env = { OTEL_BSP_MAX_QUEUE_SIZE: '-5', OTEL_BSP_SCHEDULE_DELAY: '0', OTEL_BSP_EXPORT_TIMEOUT: '0' };
    expect(readOtel(env).batching).to.deep.equal({ maxQueueSize: 2_048, exportTimeoutMillis: 30_000 });
    expect(readOtel({}).batching).to.deep.equal({});
  });

  it('are masked where they hold a key: a header, and an address that is none', () => {
    const { secrets, warnings } = readOtel({
      OTEL_EXPORTER_OTLP_HEADERS: 'x-api-key=key-of-collector,x-org=org%2D4711%20x',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'user:password-1@collector',
    });
    const mask = createMask(secrets);
    expect(mask('key-of-collector org-4711 x org%2D4711%20x user:password-1@collector')).to.equal(
      '*** *** *** ***',
    );
    expect(warnings.join()).not.to.include('password-1');
  });
});
