/** What is published: a message and where it goes. */
import type { Options } from 'amqplib';
import { encodeDeath, encodeHeaders } from '../../job/codec.js';
import type { Job } from '../../job/job.js';
import type { Death } from '../../job/outcome.js';
import type { Names, Route } from './topology.js';

export interface Outgoing {
  readonly route: Route;
  readonly body: Buffer;
  /** `messageId` names the message when the broker returns it. */
  readonly properties: Pick<
    Options.Publish,
    'persistent' | 'mandatory' | 'type' | 'contentType' | 'headers'
  > & { readonly messageId: string };
}

export function outgoingJob(job: Job, route: Route): Outgoing {
  const headers = encodeHeaders(job);
  return {
    route,
    body: job.body,
    properties: {
      persistent: true,
      mandatory: true,
      messageId: job.id,
      type: job.type,
      contentType: 'application/json',
      ...(headers === undefined ? {} : { headers }),
    },
  };
}

export function outgoingDead(names: Names, job: Job, death: Death): Outgoing {
  const outgoing = outgoingJob(job, { exchange: names.dead, key: `${job.queue}.${job.lane}` });
  const headers = { ...outgoing.properties.headers, ...encodeDeath(death) };
  return { ...outgoing, properties: { ...outgoing.properties, headers } };
}
