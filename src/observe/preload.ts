/**
 * The package's `sluice/tracing`, for `node --import sluice/tracing`: registers OpenTelemetry's SDK, which sends spans by OTLP
 * over HTTP. Its packages are optional: they are installed by those who want traces. All is set by the variables that
 * OpenTelemetry defines; the SDK reads them itself, except those in this file.
 */
import { isMainThread } from 'node:worker_threads';
import { DiagLogLevel, diag } from '@opentelemetry/api';
import { readEnvironment } from '../config.js';
import { createLog } from '../runtime/log.js';
import { createContextManager } from './active-span.js';

const env = readEnvironment();
const log = createLog('debug');

/** The SDK is silent of its own; a word of it is a line of our log. */
function hearFaults(): void {
  const said = (words: readonly unknown[]): string => words.map(String).join(' ');
  const level = env['OTEL_LOG_LEVEL']?.toUpperCase() ?? '';
  diag.setLogger(
    {
      error: (...words) => log.error({ from: 'opentelemetry' }, said(words)),
      warn: (...words) => log.warn({ from: 'opentelemetry' }, said(words)),
      info: (...words) => log.info({ from: 'opentelemetry' }, said(words)),
      debug: (...words) => log.debug({ from: 'opentelemetry' }, said(words)),
      verbose: (...words) => log.debug({ from: 'opentelemetry' }, said(words)),
    },
    level in DiagLogLevel ? DiagLogLevel[level as keyof typeof DiagLogLevel] : DiagLogLevel.INFO,
  );
}

function isWanted(): boolean {
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return false;
  const exporter = env['OTEL_TRACES_EXPORTER'] || 'otlp';
  if (exporter !== 'otlp' && exporter !== 'none')
    log.warn({}, `OTEL_TRACES_EXPORTER=${exporter}: sluice/tracing knows otlp and none; no spans are sent`);
  const protocol =
    env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] || env['OTEL_EXPORTER_OTLP_PROTOCOL'] || 'http/json';
  if (protocol !== 'http/json')
    log.warn(
      {},
      `OTEL_EXPORTER_OTLP_PROTOCOL=${protocol}: sluice/tracing sends http/json, which collectors take as well`,
    );
  return exporter === 'otlp';
}

async function load() {
  try {
    return {
      ...(await import('@opentelemetry/sdk-trace-node')),
      ...(await import('@opentelemetry/exporter-trace-otlp-http')),
      ...(await import('@opentelemetry/resources')),
    };
  } catch (cause) {
    const names =
      '@opentelemetry/sdk-trace-node@2 @opentelemetry/resources@2 @opentelemetry/exporter-trace-otlp-http@0.223';
    throw new Error(`sluice/tracing needs packages that are not installed: npm install ${names}`, { cause });
  }
}

// Threads of ours inherit the preload, and make no spans.
if (isMainThread && isWanted()) {
  hearFaults();
  const sdk = await load();
  // No detector of the process: its command line may hold a key.
  const own = { 'service.name': 'sluice', 'process.pid': process.pid };
  const resource = sdk
    .defaultResource()
    .merge(sdk.resourceFromAttributes(own))
    .merge(sdk.detectResources({ detectors: [sdk.envDetector, sdk.hostDetector] }));
  const provider = new sdk.NodeTracerProvider({
    resource,
    spanProcessors: [new sdk.BatchSpanProcessor(new sdk.OTLPTraceExporter())],
  });
  provider.register({ contextManager: createContextManager() });
}
