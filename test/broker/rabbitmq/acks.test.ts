import { EventEmitter } from 'node:events';
import type { Channel, Message } from 'amqplib';
import { expect } from 'chai';
import fc from 'fast-check';
import { Acks } from '../../../src/broker/rabbitmq/acks.js';
import { HeldMessage } from '../../../src/broker/rabbitmq/held.js';
import { createLinks } from '../../../src/broker/rabbitmq/links.js';
import { type Clock, systemClock } from '../../../src/runtime/clock.js';
import { createManualClock } from '../../support/manual-clock.js';

/** The broker's side of a channel: what it waits for, and which frames came. A tag it does not wait for closes a channel. */
function brokerSide() {
  const unacked = new Set<number>();
  const frames: string[] = [];
  return {
    unacked,
    frames,
    ack({ fields: { deliveryTag } }: Message, upTo = false) {
      if (!unacked.has(deliveryTag)) throw new Error(`unknown delivery tag ${deliveryTag}`);
      frames.push(`${upTo ? '<=' : ''}${deliveryTag}`);
      for (const tag of unacked) if (tag === deliveryTag || (upTo && tag < deliveryTag)) unacked.delete(tag);
    },
  };
}

function take(acks: Acks, broker: { readonly unacked: Set<number> }, tags: readonly number[]): void {
  for (const tag of tags) {
    broker.unacked.add(tag);
    acks.took(tag);
  }
}

describe('acks of a channel', () => {
  it('of all that is in hand are one frame, and of what ends out of turn one each', () => {
    const broker = brokerSide();
    const acks = new Acks(broker);
    take(acks, broker, [1, 2, 3, 4, 5, 6]);
    for (const tag of [2, 3, 1, 5]) acks.acked(tag);
    expect([acks.writeMultiple(), acks.writeSingles()]).to.deep.equal([1, 1]);
    expect(broker.frames).to.deep.equal(['<=3', '5']);
    acks.acked(6);
    acks.acked(4);
    expect([acks.writeMultiple(), acks.writeSingles(), acks.inHand]).to.deep.equal([1, 0, 0]);
    expect(broker.frames.slice(2)).to.deep.equal(['<=6']);
    expect([acks.writeMultiple(), acks.writeSingles()]).to.deep.equal([0, 0]);
  });

  it('never ack what is in hand, and ack all else, in as few frames as there can be', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('take' as const), count: fc.integer({ min: 1, max: 8 }) }),
      fc.record({ kind: fc.constantFrom('ack' as const, 'refuse' as const), which: fc.nat() }),
      fc.record({ kind: fc.constant('write' as const), isFirstOnly: fc.boolean() }),
    );
    const property = fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const broker = brokerSide();
      const acks = new Acks(broker);
      const held: number[] = [];
      const acked = new Set<number>();
      let newest = 0;
      for (const one of steps) {
        if (one.kind === 'take') {
          const tags = Array.from({ length: one.count }, () => ++newest);
          take(acks, broker, tags);
          held.push(...tags);
        } else if (one.kind === 'write') {
          const oldest = held[0] ?? Number.POSITIVE_INFINITY;
          const due = [...broker.unacked].filter((tag) => acked.has(tag));
          const beyond = due.filter((tag) => tag > oldest).length;
          expect(acks.writeMultiple()).to.equal(due.length > beyond ? 1 : 0);
          if (!one.isFirstOnly) expect(acks.writeSingles()).to.equal(beyond);
        } else if (held.length > 0) {
          const [tag = 0] = held.splice(one.which % held.length, 1);
          if (one.kind === 'ack') {
            acks.acked(tag);
            acked.add(tag);
          } else {
            broker.unacked.delete(tag); // Its nack is written at once.
            acks.refused(tag);
          }
        }
        expect(acks.inHand).to.equal(held.length);
        expect([...broker.unacked]).to.include.members(held);
      }
      acks.writeMultiple();
      acks.writeSingles();
      expect([...broker.unacked]).to.deep.equal(held);
    });
    fc.assert(property, { numRuns: 500 });
  });

  const untold = {
    'before all others': { told: [2, 3], acked: [2, 3], left: [1] },
    'between others': { told: [1, 3, 4], acked: [1, 3, 4], left: [2] },
    'and that is acked all the same': { told: [1], acked: [1, 3], left: [2] },
  };
  for (const [where, { told, acked, left }] of Object.entries(untold))
    it(`are one each once there was a delivery that they were not told of, ${where}`, () => {
      const broker = brokerSide();
      const acks = new Acks(broker);
      for (const tag of [1, 2, 3, 4]) broker.unacked.add(tag);
      for (const tag of told) acks.took(tag);
      for (const tag of acked) acks.acked(tag);
      expect([acks.writeMultiple(), acks.writeSingles()]).to.deep.equal([0, acked.length]);
      expect([...broker.unacked]).to.deep.equal([1, 2, 3, 4].filter((tag) => !acked.includes(tag)));
      expect([...broker.unacked]).to.include.members(left);
    });
});

describe('a link that acks', () => {
  const delivered = (deliveryTag: number) => ({ fields: { deliveryTag } });

  function setup(clock: Clock = systemClock, count = 4) {
    const broker = brokerSide();
    const order: string[] = [];
    const channel = Object.assign(new EventEmitter(), {
      isClosing: false,
      ack(message: Message, upTo?: boolean) {
        if (channel.isClosing) throw new Error('Channel closing');
        broker.ack(message, upTo);
        order.push(broker.frames.at(-1) ?? '');
      },
      nack: ({ fields: { deliveryTag } }: Message) => {
        broker.unacked.delete(deliveryTag);
        order.push(`nack ${deliveryTag}`);
      },
      async checkExchange() {
        order.push('question');
      },
      async close() {
        order.push('close');
        channel.emit('close');
      },
    });
    const links = createLinks(clock);
    const link = links.follow(channel as unknown as Channel);
    for (let tag = 1; tag <= count; tag++) {
      broker.unacked.add(tag);
      link.took(delivered(tag));
    }
    return { broker, channel, links, link, order };
  }

  it('writes the acks of one moment together, with no wait for another turn of the loop', async () => {
    const { link, order } = setup();
    for (const tag of [1, 2, 4]) link.ack(delivered(tag));
    expect(order).to.deep.equal([]);
    await Promise.resolve();
    expect(order).to.deep.equal(['<=2', '4']);
    link.ack(delivered(3));
    await Promise.resolve();
    expect(order).to.deep.equal(['<=2', '4', '<=3']);
  });

  it('writes a refusal before the acks of its moment, which must not take it with them', async () => {
    const { broker, channel, link, order } = setup();
    link.ack(delivered(1));
    link.ack(delivered(3));
    link.refuse(delivered(2), () => channel.nack(delivered(2) as Message));
    await Promise.resolve();
    expect(order).to.deep.equal(['nack 2', '<=3']);
    expect([...broker.unacked]).to.deep.equal([4]);
  });

  it('writes its acks before it asks whether they have come, and before it closes', async () => {
    const { link, order } = setup();
    link.ack(delivered(1));
    await link.flushed();
    expect(order).to.deep.equal(['<=1', 'question']);
    link.retire();
    for (const tag of [2, 3, 4]) link.ack(delivered(tag));
    await new Promise((resolve) => setImmediate(resolve));
    expect(order.slice(2)).to.deep.equal(['<=4', 'close']);
  });

  it('writes what is acked up to the very moment in which it closes after a burst', async () => {
    let early = 0;
    for (let ticks = 0; ticks < 10; ticks++) {
      const clock = createManualClock();
      const after: Clock['after'] = (ms, run) =>
        clock.after(ms, () => {
          run();
          void ackAfter(ticks);
        });
      const { links, link, order, channel } = setup({ ...clock, after }, 40);
      const ackAfter = async (count: number): Promise<void> => {
        for (let tick = 0; tick < count; tick++) await undefined;
        order.push('acked');
        link.ack(delivered(34));
      };
      for (let tag = 1; tag <= 33; tag++)
        link.refuse(delivered(tag), () => channel.nack(delivered(tag) as Message));
      const closed = links.close();
      await clock.advance(500);
      await closed;
      if (order.indexOf('acked') > order.indexOf('close')) continue;
      expect(order.slice(-3)).to.deep.equal(['acked', '<=34', 'close'], `after ${ticks} ticks`);
      early++;
    }
    expect(early).to.be.at.least(1);
  });

  it('leaves to come again what is acked while its channel closes, and its holder is done with it', async () => {
    const { broker, channel, link, order } = setup();
    channel.isClosing = true;
    await new HeldMessage(link, delivered(1) as Message).ack();
    await new Promise((resolve) => setImmediate(resolve));
    expect(order).to.deep.equal([]);
    expect([...broker.unacked]).to.deep.equal([1, 2, 3, 4]);
  });
});
