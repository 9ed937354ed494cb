/** The promises about events while the broker holds back publishes: nothing is lost, and whoever asked is told. */
import { expect } from 'chai';
import type { Broker } from '../../src/broker/broker.js';
import type { BatchDelivery } from '../../src/broker/event-channel.js';
import type { AlarmBench } from './conformance-bench.js';
import { createPile } from './pile.js';

export function exerciseAlarms(name: string, openBench: () => Promise<AlarmBench>): void {
  describe(`${name} in an alarm`, () => {
    let bench: AlarmBench;
    let broker: Broker;
    beforeEach(async () => {
      bench = await openBench();
      broker = await bench.open();
    });
    afterEach(async () => {
      await bench.setAlarm(broker, false);
      await bench.close();
    });

    it('says when publishes are held back and when no longer, and holds on to a batch meanwhile', async () => {
      const told = createPile<boolean>();
      const unheard = createPile<boolean>();
      broker.events.onBlocked(told.take);
      broker.events.onBlocked(unheard.take)();
      await bench.setAlarm(broker, true);
      let isDone = false;
      const { done } = broker.events.publish(Buffer.alloc(200_000, 'x'));
      const stored = done.then(() => {
        isDone = true;
      });
      await told.first(1);
      expect(broker.stats.isBlocked).to.equal(true);
      expect(isDone).to.equal(false);
      await bench.setAlarm(broker, false);
      await stored;
      await told.until((all) => all.at(-1) === false);
      expect(told.items[0]).to.equal(true);
      expect(unheard.items).to.deep.equal([]);
      const pile = createPile<BatchDelivery>();
      await broker.events.consume(5, pile.take);
      const [held] = await pile.first(1);
      expect(held?.batch).to.have.length(200_000);
    });

    it('lets acks of batches through', async () => {
      await broker.events.publish(Buffer.from('one')).done;
      const pile = createPile<BatchDelivery>();
      await broker.events.consume(5, pile.take);
      const [held] = await pile.first(1);
      await bench.setAlarm(broker, true);
      await held?.ack();
      expect(await broker.inspect()).to.deep.include({ events: 0 });
    });

    it('does not store what was withdrawn while it was held back', async () => {
      const told = createPile<boolean>();
      broker.events.onBlocked(told.take);
      await bench.setAlarm(broker, true);
      const sending = broker.events.publish(Buffer.alloc(200_000, 'x'));
      await told.first(1);
      sending.withdraw();
      await bench.setAlarm(broker, false);
      await told.until((all) => all.at(-1) === false);
      await broker.events.publish(Buffer.from('next')).done;
      const pile = createPile<BatchDelivery>();
      await broker.events.consume(5, pile.take);
      // What was already on its way to the broker may arrive; the one behind it must.
      await pile.until((all) => all.some(({ batch }) => batch.toString() === 'next'));
    });
  });
}
