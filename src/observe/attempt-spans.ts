/** Spans of attempts (CONSUMER): from a job's delivery to its handler, to what was decided of it. */
import { context, type Span, SpanKind, type Tracer, trace } from '@opentelemetry/api';
import type { Outcome } from '../job/outcome.js';
import type { AttemptSpans } from '../worker/spans.js';
import { rest } from './active-span.js';
import type { Messaging } from './messaging.js';
import { failedWith, jobAttributes } from './span-attributes.js';
import { contextIn } from './trace-parent.js';

/**
 * The parent is the span of the publish: a message is processed alone, so the conventions allow it, and a job is one trace. A
 * job without a context was not sampled, or comes from a program that is not traced: it gets no span, since a header that
 * says "not sampled" would give every message a header table, the dearest part of a publish.
 */
export function createAttemptSpans(tracer: Tracer, messaging: Messaging): AttemptSpans {
  let underWay = 0;
  return {
    process(job) {
      const publisher = contextIn(job);
      if (publisher === undefined) return undefined;
      const parent = trace.setSpanContext(context.active(), publisher);
      const destination = messaging.processed(job);
      const span = tracer.startSpan(`process ${destination}`, { kind: SpanKind.CONSUMER }, parent);
      const within = trace.setSpan(parent, span);
      const isSeen = span.isRecording();
      if (isSeen) {
        span.setAttributes({
          ...jobAttributes(job, messaging.system, destination),
          'messaging.operation.name': 'process',
          'messaging.operation.type': 'process',
        });
      }
      return {
        run(begin) {
          underWay += 1;
          return context.with(within, begin);
        },
        end(decision) {
          underWay -= 1;
          if (underWay === 0) rest();
          if (isSeen) {
            if (decision.kind === 'decided') tell(span, decision.outcome);
            else span.setAttribute('sluice.job.outcome', 'returned');
          }
          span.end();
        },
      };
    },
  };
}

function tell(span: Span, outcome: Outcome): void {
  span.setAttribute('sluice.job.outcome', outcome.kind);
  switch (outcome.kind) {
    case 'succeeded':
      return;
    case 'retried':
      failedWith(span, outcome.failure);
      span.addEvent('sluice.job.retried', { 'sluice.job.delay_ms': outcome.delayMs });
      return;
    case 'dead':
      failedWith(span, outcome.failure);
      span.addEvent('sluice.job.dead', { 'sluice.job.death_reason': outcome.reason });
      return;
    case 'cancelled':
      span.addEvent('sluice.job.cancelled', { 'sluice.job.cancel_message': outcome.failure.message });
      return;
    default:
      outcome satisfies never;
  }
}
