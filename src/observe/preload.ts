/**
 * The package's `sluice/tracing`, for `node --import sluice/tracing`: registers OpenTelemetry's SDK, which sends spans by OTLP
 * over HTTP. Its packages are optional: they are installed by those who want traces. All is set by the variables that
 * OpenTelemetry defines; the SDK reads them itself, except those of `otel-environment`.
 */
import { isMainThread } from 'node:worker_threads';
import { type DiagLogLevel, diag } from '@opentelemetry/api';
import { readEnvironment } from '../config.js';
import { createLog, type Log } from '../runtime/log.js';
import { createContextManager } from './active-span.js';
import { readOtel } from './otel-environment.js';

/** Of a start that its settings do not let be. */
const BAD_SETTINGS = 2;

/** The SDK is silent of its own; a word of it is a line of our log. */
function hearFaults(log: Log, level: DiagLogLevel): void {
  const said = (words: readonly unknown[]): string => words.map(String).join(' ');
  diag.setLogger(
    {
      error: (...words) => log.error({ from: 'opentelemetry' }, said(words)),
      warn: (...words) => log.warn({ from: 'opentelemetry' }, said(words)),
      info: (...words) => log.info({ from: 'opentelemetry' }, said(words)),
      debug: (...words) => log.debug({ from: 'opentelemetry' }, said(words)),
      verbose: (...words) => log.debug({ from: 'opentelemetry' }, said(words)),
    },
    level,
  );
}

async function load(log: Log) {
  try {
    return {
      ...(await import('@opentelemetry/sdk-trace-node')),
      ...(await import('@opentelemetry/exporter-trace-otlp-http')),
      ...(await import('@opentelemetry/resources')),
    };
  } catch (error) {
    const names =
      '@opentelemetry/sdk-trace-node@2 @opentelemetry/resources@2 @opentelemetry/exporter-trace-otlp-http@0.223';
    log.error({ err: error }, `sluice/tracing needs packages that are not installed: npm install ${names}`);
    process.exit(BAD_SETTINGS);
  }
}

async function register(): Promise<void> {
  const { isWanted, level, propagates, batching, warnings, secrets } = readOtel(readEnvironment());
  const log = createLog('debug', { secrets });
  for (const warning of warnings) log.warn({}, warning);
  if (!isWanted) return;
  hearFaults(log, level);
  const sdk = await load(log);
  // No detector of the process: its command line may hold a key.
  const own = { 'service.name': 'sluice', 'process.pid': process.pid };
  const resource = sdk
    .defaultResource()
    .merge(sdk.resourceFromAttributes(own))
    .merge(sdk.detectResources({ detectors: [sdk.envDetector, sdk.hostDetector] }));
  const provider = new sdk.NodeTracerProvider({
    resource,
    spanProcessors: [new sdk.BatchSpanProcessor(new sdk.OTLPTraceExporter(), { ...batching })],
  });
  provider.register({
    contextManager: createContextManager(),
    ...(!propagates && { propagator: null }),
  });
}

// Threads of ours inherit the preload, and make no spans.
if (isMainThread) await register();
