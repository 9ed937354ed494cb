/** Declares a topology on a connection, step by step. Repeating it changes nothing. */
import type { Channel, ChannelModel } from 'amqplib';
import { Invalid } from '../../job/errors.js';
import type { Step, Topology } from './topology.js';

/** AMQP reply codes (0-9-1, section 1.2): a declaration differs from what exists, and what is asked for does not exist. */
const PRECONDITION_FAILED = 406;
const NOT_FOUND = 404;

/** @throws Invalid  code `topology_mismatch`: something of the same name exists with other arguments */
export async function declareTopology(model: ChannelModel, topology: Topology): Promise<void> {
  const channel = await model.createChannel();
  channel.on('error', () => {}); // The rejected call says it; without a listener the process would die.
  for (const step of topology.steps) {
    try {
      await declare(channel, step);
    } catch (cause) {
      if (replyCode(cause) !== PRECONDITION_FAILED) throw cause;
      throw new Invalid(
        'topology_mismatch',
        `the broker has ${nameOf(step)} with other arguments than this release needs: drain and delete it, or set another AMQP_PREFIX`,
        { cause },
      );
    }
  }
  await channel.close();
}

/** Whether a queue of the topology is not there yet. Asked on a channel of its own, which the broker closes at the first that is missing. */
export async function lacksQueue(model: ChannelModel, topology: Topology): Promise<boolean> {
  const channel = await model.createChannel();
  channel.on('error', () => {}); // The rejected call says it.
  for (const step of topology.steps) {
    if (step.kind !== 'queue') continue;
    try {
      await channel.checkQueue(step.name);
    } catch (cause) {
      if (replyCode(cause) === NOT_FOUND) return true;
      throw cause;
    }
  }
  await channel.close();
  return false;
}

async function declare(channel: Channel, step: Step): Promise<void> {
  switch (step.kind) {
    case 'exchange':
      await channel.assertExchange(step.name, step.type, {
        durable: true,
        ...(step.alternate === undefined ? {} : { alternateExchange: step.alternate }),
      });
      return;
    case 'queue':
      await channel.assertQueue(step.name, { durable: true, arguments: step.arguments });
      return;
    case 'bindQueue':
      await channel.bindQueue(step.queue, step.exchange, step.key);
      return;
    case 'bindExchange':
      await channel.bindExchange(step.to, step.from, step.key);
      return;
  }
}

function nameOf(step: Step): string {
  return step.kind === 'exchange' || step.kind === 'queue' ? `the ${step.kind} '${step.name}'` : 'a binding';
}

export function replyCode(error: unknown): number | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'number' ? code : undefined;
}
