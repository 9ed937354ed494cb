/** What spans say of a job and of a failure: no payload, and of an error what the log says of it as well. */
import { type Attributes, type Span, SpanStatusCode } from '@opentelemetry/api';
import { failureOf } from '../job/failure.js';
import type { Job } from '../job/job.js';
import type { Failure } from '../job/outcome.js';

/** Names of OpenTelemetry's conventions for messaging, and `sluice.` for what they have no name for. */
export function jobAttributes(job: Job, system: string, destination: string): Attributes {
  return {
    'messaging.system': system,
    'messaging.destination.name': destination,
    ...(system === 'rabbitmq' && {
      'messaging.rabbitmq.destination.routing_key': `${job.queue}.${job.lane}`,
    }),
    'messaging.message.id': job.id,
    'messaging.message.body.size': job.body.length,
    'sluice.job.type': job.type,
    'sluice.job.run': job.run,
    'sluice.job.attempt': job.attempt,
  };
}

export function failed(span: Span, error: unknown): void {
  failedWith(span, failureOf(error));
}

/** As an exception and as the status: of a span that failed, tools show one or the other. */
export function failedWith(span: Span, { name, message, code, stack }: Failure): void {
  span.recordException({ name, message, ...(stack !== undefined && { stack }) });
  span.setAttribute('error.type', code ?? name);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}
