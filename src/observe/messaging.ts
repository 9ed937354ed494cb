/** What spans call the places that jobs go through: OpenTelemetry's conventions for messaging, those of RabbitMQ where it is one. */
import type { Job } from '../job/job.js';

export interface Messaging {
  /** `messaging.system`. */
  readonly system: string;
  /** `messaging.destination.name` of a publish and of a handler's call: a closed set, fit for the name of a span. */
  published(job: Job): string;
  processed(job: Job): string;
}

/** `exchange:key` and `exchange:key:queue`. Of a delayed job as well: it ends there, by way of the delay levels. */
export function rabbitmqMessaging(prefix: string): Messaging {
  const exchange = `${prefix}.jobs`;
  return {
    system: 'rabbitmq',
    published: ({ queue, lane }) => `${exchange}:${queue}.${lane}`,
    processed: ({ queue, lane }) => `${exchange}:${queue}.${lane}:${exchange}.${queue}.${lane}`,
  };
}

export const embeddedMessaging: Messaging = {
  system: 'sluice',
  published: ({ queue, lane }) => `${queue}.${lane}`,
  processed: ({ queue, lane }) => `${queue}.${lane}`,
};
