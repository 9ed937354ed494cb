import { EventEmitter } from 'node:events';
import type { Channel, Message } from 'amqplib';
import { expect } from 'chai';
import { createIntake } from '../../../src/broker/rabbitmq/intake.js';
import { createLinks } from '../../../src/broker/rabbitmq/links.js';
import { describeTopology } from '../../../src/broker/rabbitmq/topology.js';
import { systemClock } from '../../../src/runtime/clock.js';
import { createLog, type Log } from '../../../src/runtime/log.js';
import { createDeferred } from '../../support/deferred.js';

const notAJob = {
  content: Buffer.from('raw'),
  fields: { deliveryTag: 1 },
  properties: { headers: {} },
} as unknown as Message;

/** An intake whose publishes end as the test decides, and one channel. */
function setup(
  done: Promise<void>,
  { log = createLog('silent'), ack = () => {}, checkExchange = () => Promise.resolve() } = {},
) {
  const channel = Object.assign(new EventEmitter(), { ack, checkExchange });
  const intake = createIntake(
    {
      names: describeTopology('t', ['default']).names,
      publisher: { sendPatiently: () => ({ done, withdraw() {} }) } as never,
      routeOf: () => ({ exchange: '', key: '' }),
    },
    ['default'],
    systemClock,
    log,
  );
  const link = createLinks(systemClock).follow(channel as unknown as Channel);
  const take = () => {
    link.took(notAJob);
    expect(intake.fromLane(notAJob, 'default', 'normal', link)).to.equal(undefined);
  };
  return { intake, channel, take };
}

describe('a message that is to be moved', () => {
  it('is left to come again when its channel is closing, and the process lives on', async () => {
    let tell = (_message: string): void => {};
    const told = new Promise<string>((resolve) => {
      tell = resolve;
    });
    const log: Log = {
      ...createLog('silent'),
      error: (_fields, message) => tell(message),
      warn: (_fields, message) => {
        if (message.includes('could not')) tell(message);
      },
    };
    const { take } = setup(Promise.resolve(), {
      log,
      ack() {
        throw new Error('Channel closing'); // As amqplib does between a close and its answer.
      },
    });
    take();
    expect(await told).to.include('comes again');
  });

  it('is known to be under way until the broker has its ack, which an answer after it shows', async () => {
    const order: string[] = [];
    const sent = createDeferred();
    const asked = createDeferred();
    const answered = createDeferred();
    const { intake, take } = setup(sent.promise, {
      ack: () => void order.push('ack'),
      checkExchange() {
        order.push('question');
        asked.resolve();
        return answered.promise;
      },
    });
    take();
    const moved = intake.moved();
    expect(intake.isMoving()).to.equal(true);
    sent.resolve();
    await asked.promise;
    expect(order).to.deep.equal(['ack', 'question']);
    expect(intake.isMoving()).to.equal(true);
    answered.resolve();
    await moved;
    expect(intake.isMoving()).to.equal(false);
  });

  it('is under way no longer once its channel is gone', async () => {
    const { intake, channel, take } = setup(new Promise(() => {}));
    take();
    const moved = intake.moved();
    channel.emit('close');
    await moved;
    expect(intake.isMoving()).to.equal(false);
  });
});
