/** Spans of publishes (PRODUCER): of a job alone below its request, of one of many in a trace of its own. */
import {
  type Context,
  context,
  type Link,
  type SpanContext,
  SpanKind,
  type Tracer,
} from '@opentelemetry/api';
import type { PublishSpan } from '../http/spans.js';
import type { Job } from '../job/job.js';
import type { Messaging } from './messaging.js';
import { failed, jobAttributes } from './span-attributes.js';
import { carriedOf } from './trace-parent.js';

export interface StartedPublish extends PublishSpan {
  readonly context: SpanContext;
  readonly isRecording: boolean;
}

export interface PublishSpans {
  below(job: Job, parent: Context): StartedPublish;
  /**
   * Linked to `origin`: thousands of jobs would be one trace that nobody can read, and would be sampled as a whole or not at all.
   * Undefined: nobody looks, and the job carries no context that would bring it into the trace of another.
   */
  alone(job: Job, origin: SpanContext | undefined): StartedPublish | undefined;
}

export function createPublishSpans(tracer: Tracer, messaging: Messaging): PublishSpans {
  function start(job: Job, parent: Context, links: Link[], root: boolean): StartedPublish {
    const destination = messaging.published(job);
    const options = { kind: SpanKind.PRODUCER, root, links };
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

  return {
    below: (job, parent) => start(job, parent, [], false),
    alone(job, origin) {
      const links = origin === undefined ? [] : [{ context: origin }];
      const span = start(job, context.active(), links, true);
      return span.isRecording || job.traceparent !== undefined ? span : undefined;
    },
  };
}
