import { EventEmitter } from 'node:events';
import type { ChannelModel } from 'amqplib';
import { expect } from 'chai';
import { createConsumers } from '../../../src/broker/rabbitmq/consumers.js';
import { createLinks } from '../../../src/broker/rabbitmq/links.js';
import { createLog } from '../../../src/runtime/log.js';
import { createManualClock } from '../../support/manual-clock.js';

/** A channel whose broker answers as the test says; real brokers do so only in rare moments. */
class ScriptedChannel extends EventEmitter {
  deliver: (message: unknown) => void = () => {};
  cancelled = 0;
  readonly #answer: (channel: ScriptedChannel) => Promise<void>;

  constructor(answer: (channel: ScriptedChannel) => Promise<void>) {
    super();
    this.#answer = answer;
  }

  async prefetch(): Promise<void> {}

  async consume(_queue: string, deliver: (message: unknown) => void): Promise<{ consumerTag: string }> {
    this.deliver = deliver;
    await this.#answer(this);
    return { consumerTag: 'tag' };
  }

  async cancel(): Promise<void> {
    this.cancelled += 1;
  }

  async close(): Promise<void> {
    this.emit('close');
  }
}

function setup(answer: (channel: ScriptedChannel) => Promise<void>) {
  const clock = createManualClock();
  const channels: ScriptedChannel[] = [];
  let heard = 0;
  const consumers = createConsumers({
    links: createLinks(clock),
    clock,
    random: () => 0.5,
    log: createLog('silent'),
    redeclare: () => Promise.resolve(),
  });
  const model = {
    async createChannel() {
      const channel = new ScriptedChannel(answer);
      channels.push(channel);
      return channel;
    },
  } as unknown as ChannelModel;
  return {
    consumers,
    model,
    clock,
    channels,
    heard: () => heard,
    consume: (lane: 'high' | 'normal' = 'normal') =>
      consumers.add({
        queue: `t.jobs.default.${lane}`,
        prefetch: 10,
        take() {
          heard += 1;
        },
      }),
  };
}

const isTaken = (): Promise<void> => Promise.resolve();
/** As after a 403 or 404: the answer is an error, and the channel closes. */
const isRefused = async (channel: ScriptedChannel): Promise<void> => {
  channel.emit('close');
  throw new Error('refused');
};

describe('a subscription to a lane', () => {
  it('is opened again when the broker closes its channel in the same breath in which it takes the subscription', async () => {
    let isFirst = true;
    const { consumers, model, consume, channels, clock } = setup(async (channel) => {
      if (isFirst) channel.emit('close');
      isFirst = false;
    });
    await consumers.attach(model);
    await consume();
    expect(consumers.areLive()).to.equal(false);
    await clock.advance(1_000);
    expect(channels).to.have.length(2);
    expect(consumers.areLive()).to.equal(true);
  });

  it('is tried again by one loop only, however often it is refused', async () => {
    const { consumers, model, consume, channels, clock } = setup(isRefused);
    await consumers.attach(model);
    await consume();
    await clock.advance(60_000);
    expect(clock.waiting).to.equal(1);
    // Half of 100, 200, 400 … 5,000 ms each: seven tries in the first 5.65 s, then one each 2.5 s.
    expect(channels.length).to.be.within(20, 30);
  });

  it('that is refused keeps no other lane from being opened on a new connection', async () => {
    let opened = 0;
    const { consumers, model, consume } = setup((channel) => {
      opened += 1;
      return opened === 1 ? isRefused(channel) : isTaken();
    });
    await consume('high');
    await consume('normal');
    await consumers.attach(model);
    expect(opened).to.equal(2);
    expect(consumers.areLive()).to.equal(false);
  });

  it('stays live when the channel of a former connection tells its end late', async () => {
    const { consumers, model, consume, channels } = setup(isTaken);
    await consumers.attach(model);
    const consumer = await consume();
    consumers.detach();
    await consumers.attach({ ...model } as ChannelModel);
    channels[0]?.emit('close');
    expect(consumers.areLive()).to.equal(true);
    await consumer.cancel();
    expect(channels[1]?.cancelled).to.equal(1);
  });

  it('that is cancelled while it is being opened delivers nothing once the cancel has resolved', async () => {
    let take = (): void => {};
    const { consumers, model, consume, channels, clock } = setup(
      () =>
        new Promise((resolve) => {
          take = resolve;
        }),
    );
    const consumer = await consume();
    const attached = consumers.attach(model);
    await clock.advance(0);
    let isCancelled = false;
    const cancelled = consumer.cancel().then(() => {
      isCancelled = true;
    });
    await clock.advance(0);
    expect(isCancelled).to.equal(false);
    take();
    await Promise.all([attached, cancelled]);
    expect(channels[0]?.cancelled).to.be.at.least(1);
  });

  it('that is cancelled delivers nothing more, even if the broker goes on sending', async () => {
    const { consumers, model, consume, channels, heard } = setup(isTaken);
    await consumers.attach(model);
    const consumer = await consume();
    channels[0]?.deliver({ fields: { deliveryTag: 1 } });
    await consumer.cancel();
    channels[0]?.deliver({ fields: { deliveryTag: 1 } });
    expect(heard()).to.equal(1);
  });
});
