/**
 * OpenTelemetry's variables as `sluice/tracing` takes them: those that the SDK leaves to others, and mistakes of which it says nothing,
 * or nothing that helps. None of them ends the start: a job must not wait for a span.
 */
import { DiagLogLevel } from '@opentelemetry/api';

export interface OtelEnvironment {
  /** Whether spans are to be sent. */
  readonly isWanted: boolean;
  /** Of what the SDK says of itself. */
  readonly level: DiagLogLevel;
  /** Whether calls of handlers carry the trace. */
  readonly propagates: boolean;
  /** Of the batches of spans: what is to hold in place of a number that cannot. */
  readonly batching: Readonly<Partial<Record<keyof typeof batchNumbers, number>>>;
  /** What is not as it was meant, and what is done instead. */
  readonly warnings: readonly string[];
  /** Values that no line may show. */
  readonly secrets: readonly string[];
}

const levels = {
  none: DiagLogLevel.NONE,
  error: DiagLogLevel.ERROR,
  warn: DiagLogLevel.WARN,
  info: DiagLogLevel.INFO,
  debug: DiagLogLevel.DEBUG,
  verbose: DiagLogLevel.VERBOSE,
  all: DiagLogLevel.ALL,
} as const;
/** What the SDK takes as it is: with batches of 0 spans it makes batches without end, until the memory is full. */
const batchNumbers = {
  maxExportBatchSize: { name: 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', least: 1, usual: 512 },
  maxQueueSize: { name: 'OTEL_BSP_MAX_QUEUE_SIZE', least: 1, usual: 2_048 },
  scheduledDelayMillis: { name: 'OTEL_BSP_SCHEDULE_DELAY', least: 0, usual: 5_000 },
  exportTimeoutMillis: { name: 'OTEL_BSP_EXPORT_TIMEOUT', least: 1, usual: 30_000 },
} as const;
/** A timer's longest. */
const MOST = 2_147_483_647;
/** Those that the SDK registers, both of them. */
const propagators = new Set(['tracecontext', 'baggage']);

export function readOtel(env: Readonly<Record<string, string | undefined>>): OtelEnvironment {
  const warnings: string[] = [];
  /** The value of the first that is set, with its name. */
  const given = (...names: readonly string[]): readonly [name: string, value: string] => {
    const name = names.find((one) => (env[one] ?? '').trim() !== '') ?? '';
    return [name, (env[name] ?? '').trim()];
  };

  const [, disabled] = given('OTEL_SDK_DISABLED');
  const [, exporter] = given('OTEL_TRACES_EXPORTER');
  const isDisabled = disabled.toLowerCase() === 'true';
  if (exporter !== '' && exporter !== 'otlp' && exporter !== 'none')
    warnings.push(`OTEL_TRACES_EXPORTER=${exporter}: sluice/tracing knows otlp and none; no spans are sent`);

  const [protocolName, protocol] = given('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL');
  if (protocol !== '' && protocol !== 'http/json')
    warnings.push(
      `${protocolName}=${protocol}: sluice/tracing sends http/json, which collectors take as well, usually on port 4318`,
    );

  // Without its value: it may hold a password.
  const [endpointName, endpoint] = given('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT');
  const isAddress = endpoint === '' || isHttp(endpoint);
  if (!isAddress)
    warnings.push(
      `${endpointName} is no address such as http://collector:4318: spans go nowhere, or to localhost`,
    );

  const [, sampler] = given('OTEL_TRACES_SAMPLER');
  const [, ratio] = given('OTEL_TRACES_SAMPLER_ARG');
  if (ratio !== '' && sampler === '')
    warnings.push(
      `OTEL_TRACES_SAMPLER_ARG=${ratio} means nothing without OTEL_TRACES_SAMPLER=parentbased_traceidratio: every request is seen`,
    );

  const [, wanted] = given('OTEL_PROPAGATORS');
  const unknown = namesIn(wanted).filter((name) => name !== 'none' && !propagators.has(name));
  if (unknown.length > 0)
    warnings.push(
      `OTEL_PROPAGATORS=${wanted}: sluice/tracing knows ${[...propagators].join(', ')} and none; calls of handlers carry traceparent`,
    );

  const [, level] = given('OTEL_LOG_LEVEL');
  const isLevel = Object.hasOwn(levels, level.toLowerCase());
  if (level !== '' && !isLevel)
    warnings.push(`OTEL_LOG_LEVEL=${level}: it is one of ${Object.keys(levels).join(', ')}; info is taken`);

  const batching: Record<string, number> = {};
  for (const [field, { name, least, usual }] of Object.entries(batchNumbers)) {
    const [, text] = given(name);
    if (text === '' || (/^\d+$/.test(text) && Number(text) >= least && Number(text) <= MOST)) continue;
    batching[field] = usual;
    warnings.push(`${name}=${text}: it is a whole number from ${least} to ${MOST}; ${usual} is taken`);
  }

  return {
    isWanted: !isDisabled && (exporter === '' || exporter === 'otlp'),
    level: isLevel ? levels[level.toLowerCase() as keyof typeof levels] : DiagLogLevel.INFO,
    propagates: !namesIn(wanted).includes('none'),
    batching,
    warnings: isDisabled ? [] : warnings,
    secrets: [
      ...headerValues(env['OTEL_EXPORTER_OTLP_HEADERS']),
      ...headerValues(env['OTEL_EXPORTER_OTLP_TRACES_HEADERS']),
      // What is no address can hold a password where the mask does not look for one.
      ...(isAddress || !endpoint.includes('@') ? [] : [endpoint]),
    ],
  };
}

function namesIn(list: string): readonly string[] {
  return list
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');
}

function isHttp(address: string): boolean {
  return URL.canParse(address) && /^https?:$/.test(new URL(address).protocol);
}

/** `name=value` pairs between commas, each percent-encoded where it must be. */
function headerValues(pairs = ''): readonly string[] {
  const values = pairs.split(',').map((pair) => pair.slice(pair.indexOf('=') + 1).trim());
  return values.flatMap((value) => [value, decoded(value)]);
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
