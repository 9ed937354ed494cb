import { EventEmitter } from 'node:events';
import type { Channel, Message } from 'amqplib';
import { expect } from 'chai';
import { createIntake } from '../../../src/broker/rabbitmq/intake.js';
import { createLinks } from '../../../src/broker/rabbitmq/links.js';
import { describeTopology } from '../../../src/broker/rabbitmq/topology.js';
import { systemClock } from '../../../src/runtime/clock.js';
import { createLog, type Log } from '../../../src/runtime/log.js';

const notAJob = {
  content: Buffer.from('raw'),
  fields: {},
  properties: { headers: {} },
} as unknown as Message;

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
    const channel = Object.assign(new EventEmitter(), {
      ack() {
        throw new Error('Channel closing'); // As amqplib does between a close and its answer.
      },
    });
    const intake = createIntake(
      {
        names: describeTopology('t', ['default']).names,
        publisher: { sendPatiently: () => ({ done: Promise.resolve(), withdraw() {} }) } as never,
        routeOf: () => ({ exchange: '', key: '' }),
        afterWrite() {},
      },
      ['default'],
      systemClock,
      log,
    );
    const link = createLinks(systemClock).follow(channel as unknown as Channel);
    expect(intake.fromLane(notAJob, 'default', 'normal', link)).to.equal(undefined);
    expect(await told).to.include('comes again');
  });
});
