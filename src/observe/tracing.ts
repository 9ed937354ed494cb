/**
 * Spans of requests, publishes and attempts, through the API of OpenTelemetry alone: where no SDK has been loaded before us
 * (`sluice/tracing` loads one) there is no tracing, and no span is made.
 */
import { type ProxyTracerProvider, type Tracer, type TracerProvider, trace } from '@opentelemetry/api';
import type { HttpSpans, PublishSpan } from '../http/spans.js';
import type { Job } from '../job/job.js';
import type { AttemptSpans } from '../worker/spans.js';
import { createAttemptSpans } from './attempt-spans.js';
import { createHttpSpans } from './http-spans.js';
import type { Messaging } from './messaging.js';
import { createPublishSpans } from './publish-spans.js';
import { sampledIn } from './trace-parent.js';
import { within } from './within.js';

export interface Tracing {
  readonly http: HttpSpans;
  readonly attempts: AttemptSpans;
  /** Of one of many replays; its `traceparent` is that of the request that ordered them. Undefined: nobody looks at this one. */
  readonly replays: (job: Job) => PublishSpan | undefined;
  /** Sends what has ended to where it is collected; gives up after two seconds. Never rejects. */
  flush(): Promise<void>;
}

const FLUSH_MS = 2_000;

/** Undefined: nobody listens. An SDK that is registered later is not seen. */
export function createTracing(messaging: Messaging): Tracing | undefined {
  const provider = registered();
  if (provider === undefined) return undefined;
  const tracer = provider.getTracer('sluice');
  const publishes = createPublishSpans(tracer, messaging);
  return {
    http: createHttpSpans(tracer, publishes),
    attempts: createAttemptSpans(tracer, messaging),
    replays: (job) => publishes.alone(job, sampledIn(job)),
    flush: () => within(async () => provider.forceFlush?.(), FLUSH_MS).catch(() => undefined),
  };
}

/** `forceFlush` is of every SDK, and not of the API. */
type Registered = TracerProvider & { forceFlush?(): Promise<void> };

/** The API hands out a stand-in, before and after an SDK is registered; only with one it has a tracer. */
function registered(): Registered | undefined {
  const given: TracerProvider & Partial<ProxyTracerProvider> = trace.getTracerProvider();
  if (given.getDelegateTracer === undefined || given.getDelegate === undefined) return given;
  const tracer: Tracer | undefined = given.getDelegateTracer('sluice');
  return tracer === undefined ? undefined : given.getDelegate();
}
