/**
 * Takes suspects one by one. It pulls (basic.get) rather than subscribes: with a consumer the next suspect would already be
 * in hand, and a crash would be charged to it too.
 */
import type { ChannelModel } from 'amqplib';
import { Unavailable } from '../../job/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import type { Delivery } from '../broker.js';
import type { Intake } from './intake.js';
import { briefly, type Link, type Links } from './links.js';
import type { Names } from './topology.js';

export interface Suspects {
  attach(model: ChannelModel): void;
  detach(): void;
  /** @throws Unavailable */
  take(queues: readonly string[]): Promise<Delivery | undefined>;
}

export function createSuspects(names: Names, intake: Intake, links: Links, clock: Clock, log: Log): Suspects {
  let model: ChannelModel | undefined;
  let link: Link | undefined;
  let turn = 0;

  async function open(): Promise<Link> {
    if (link?.isAlive) return link;
    if (model === undefined) throw new Unavailable('there is no connection to the broker');
    const channel = await model.createChannel();
    channel.on('error', (error) =>
      log.warn({ reason: error.message }, 'the broker closed the channel of the suspects'),
    );
    link = links.follow(channel);
    return link;
  }

  return {
    attach(next) {
      model = next;
    },
    detach() {
      model = undefined;
      link = undefined;
    },
    async take(queues) {
      if (intake.isMoving()) return undefined;
      turn += 1;
      try {
        const via = await open();
        for (let i = 0; i < queues.length; i++) {
          const queue = queues[(i + turn) % queues.length] as string;
          const message = await via.channel.get(names.suspectsOf(queue));
          if (message === false) continue;
          via.took(message);
          const delivery = intake.fromSuspects(message, queue, via);
          if (delivery === undefined) continue;
          // It may end the process: neither it nor another that is being moved should come again from its lane as well.
          await briefly(clock, intake.moved());
          return via.isAlive ? delivery : undefined;
        }
        return undefined;
      } catch (cause) {
        if (cause instanceof Unavailable) throw cause;
        throw new Unavailable(`the suspects cannot be read: ${(cause as Error).message}`, { cause });
      }
    },
  };
}
