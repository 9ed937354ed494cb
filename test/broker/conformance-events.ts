/** The promises of the event channel: batches and dead letters reach a recorder, and announcements everyone. */
import { expect } from 'chai';
import type { Broker, Delivery } from '../../src/broker/broker.js';
import type { BatchDelivery, LetterDelivery } from '../../src/broker/event-channel.js';
import { decode } from '../../src/job/codec.js';
import { Lost, Unavailable } from '../../src/job/errors.js';
import { eventually } from '../support/eventually.js';
import type { Bench } from './conformance-bench.js';
import { createInbox, makeJob, rejectionOf } from './inbox.js';
import { createPile } from './pile.js';

const source = { queue: 'default', lane: 'normal', prefetch: 10 } as const;
const death = {
  reason: 'exhausted',
  failure: { name: 'TypeError', message: 'ä "quoted"', code: 'E', stack: 'at x' },
  atMs: 1_700_000_000_123,
  startedAtMs: 1_700_000_000_023,
} as const;

const textOf = ({ batch }: BatchDelivery): string => batch.toString();
const ackAll = (held: BatchDelivery | LetterDelivery): void => void held.ack();

export function exerciseEvents(name: string, openBench: () => Promise<Bench>): void {
  describe(`${name} carries events to recorders`, () => {
    let bench: Bench;
    let broker: Broker;
    beforeEach(async () => {
      bench = await openBench();
      broker = await bench.open();
    });
    afterEach(() => bench.close());

    const publish = (text: string, to: Broker = broker): Promise<void> =>
      to.events.publish(Buffer.from(text)).done;

    it('delivers a batch whose publish has resolved, byte for byte, and counts what waits', async () => {
      const batches = [Buffer.alloc(0), Buffer.from([0xff, 0, 1]), Buffer.alloc(300_000, 'ä1')];
      for (const batch of batches) await broker.events.publish(batch).done;
      expect(await broker.inspect()).to.deep.include({ events: 3 });
      const pile = createPile<BatchDelivery>();
      await broker.events.consume(10, pile.take);
      const got = await pile.first(3);
      expect(got.map(({ batch }) => batch.toString('hex')).sort()).to.deep.equal(
        batches.map((batch) => batch.toString('hex')).sort(),
      );
      expect(await broker.inspect()).to.deep.include({ events: 0 });
    });

    it('holds no more batches than the prefetch unsettled, and goes on after each ack', async () => {
      for (let i = 0; i < 20; i++) await publish(`batch ${i}`);
      const pile = createPile<BatchDelivery>();
      await broker.events.consume(3, pile.take);
      const [first] = await pile.first(3);
      // One ack lets one more come; had more been sent, they would be here before it.
      await first?.ack();
      await pile.first(4);
      expect(pile.items).to.have.length(4);
    });

    it('delivers each batch although all before it are gone', async () => {
      const pile = createPile<BatchDelivery>();
      await broker.events.consume(5, pile.take);
      for (let i = 1; i <= 10; i++) {
        await publish(`batch ${i}`);
        const all = await pile.first(i);
        await all[i - 1]?.ack();
        expect(await broker.inspect()).to.deep.include({ events: 0 });
      }
      expect(pile.items.map(textOf)).to.deep.equal(Array.from({ length: 10 }, (_, i) => `batch ${i + 1}`));
    });

    it('delivers an acked batch never again after a stop', async () => {
      await publish('gone');
      const pile = createPile<BatchDelivery>();
      await broker.events.consume(5, pile.take);
      const [held] = await pile.first(1);
      await held?.ack();
      await bench.stop(broker);
      const second = await bench.open();
      await publish('kept', second);
      const later = createPile<BatchDelivery>();
      await second.events.consume(5, later.take);
      expect((await later.first(1)).map(textOf)).to.deep.equal(['kept']);
    });

    it('delivers a returned batch again', async () => {
      await publish('one');
      const pile = createPile<BatchDelivery>();
      await broker.events.consume(1, pile.take);
      const [held] = await pile.first(1);
      await held?.return();
      const [, again] = await pile.first(2);
      expect(again?.batch.toString()).to.equal('one');
      await again?.ack();
      expect(await broker.inspect()).to.deep.include({ events: 0 });
    });

    it('delivers unsettled batches again after a crash; what was in hand is lost', async () => {
      for (const text of ['a', 'b', 'c']) await publish(text);
      const pile = createPile<BatchDelivery>();
      await broker.events.consume(5, pile.take);
      const held = await pile.first(3);
      await bench.crash(broker);
      for (const one of held) expect(await rejectionOf(one.ack())).to.be.instanceOf(Lost);
      broker = await bench.open();
      const later = createPile<BatchDelivery>();
      await broker.events.consume(5, later.take);
      expect(new Set((await later.first(3)).map(textOf))).to.deep.equal(new Set(['a', 'b', 'c']));
    });

    it('settles a batch and a dead letter once: a second settle is an error of the caller', async () => {
      await publish('one');
      const pile = createPile<BatchDelivery>();
      await broker.events.consume(5, pile.take);
      const [held] = await pile.first(1);
      await held?.ack();
      for (const settle of [() => held?.ack(), () => held?.return()])
        expect(await rejectionOf(settle()))
          .to.be.instanceOf(Error)
          .and.not.instanceOf(Lost);
    });

    it('shares batches among its consumers', async () => {
      const piles = [createPile<BatchDelivery>(ackAll), createPile<BatchDelivery>(ackAll)];
      for (const pile of piles) await broker.events.consume(2, pile.take);
      const texts = Array.from({ length: 40 }, (_, i) => `batch ${i}`);
      await Promise.all(texts.map((text) => publish(text)));
      const came = (): string[] => piles.flatMap(({ items }) => items.map(textOf));
      await Promise.race(piles.map((pile) => pile.until(() => came().length === 40)));
      expect(new Set(came())).to.deep.equal(new Set(texts));
      for (const { items } of piles) expect(items).to.not.have.length(0);
    });

    it('delivers nothing more to a cancelled recorder, whose batches in hand can still be acked', async () => {
      await publish('one');
      const pile = createPile<BatchDelivery>();
      const consumer = await broker.events.consume(5, pile.take);
      const [held] = await pile.first(1);
      await consumer.cancel();
      await consumer.cancel();
      await publish('two');
      const other = createPile<BatchDelivery>();
      await broker.events.consume(5, other.take);
      expect((await other.first(1)).map(textOf)).to.deep.equal(['two']);
      await held?.ack();
      expect(pile.items).to.have.length(1);
    });

    it('holds on to what is published before it is started, unless it is withdrawn, and refuses it after a stop', async () => {
      await bench.stop(broker);
      const early = bench.make();
      const pile = createPile<BatchDelivery>();
      await early.events.consume(5, pile.take);
      const kept = early.events.publish(Buffer.from('kept'));
      const withdrawn = early.events.publish(Buffer.from('withdrawn'));
      withdrawn.withdraw();
      await early.start();
      await kept.done;
      await pile.first(1);
      await publish('last', early);
      expect((await pile.first(2)).map(textOf)).to.deep.equal(['kept', 'last']);
      await bench.stop(early);
      expect(await rejectionOf(publish('late', early))).to.be.instanceOf(Unavailable);
    });

    it('delivers the dead letter of a worker with its job, headers and death, and forgets it once it is acked', async () => {
      const letters = createPile<LetterDelivery>();
      await broker.events.consumeDead(5, letters.take);
      const job = makeJob({ lane: 'high', attempt: 3, run: 2, body: Buffer.from('{"a":"ä"}'), timeoutMs: 5 });
      await broker.publish(job);
      const inbox = createInbox();
      await broker.consume({ ...source, lane: 'high' }, inbox.take);
      const [delivery] = await inbox.first(1);
      await delivery?.deadLetter(death);
      const [held] = await letters.first(1);
      const { queue, lane, death: told, ...envelope } = held?.letter ?? expect.fail();
      expect(told).to.deep.equal(death);
      expect({ queue, lane }).to.deep.equal({ queue: 'default', lane: 'high' });
      expect(decode(envelope, queue, 'high')).to.deep.equal(job);
      await held?.ack();
      await bench.stop(broker);
      broker = await bench.open();
      expect(await broker.inspect()).to.deep.include({ deadLetters: 0 });
    });

    it('delivers the dead letter of a job that no attempt has ended, or of an older release, which says no start', async () => {
      const letters = createPile<LetterDelivery>();
      await broker.events.consumeDead(5, letters.take);
      await broker.publish(makeJob());
      const inbox = createInbox();
      await broker.consume(source, inbox.take);
      const [delivery] = await inbox.first(1);
      const { startedAtMs: _, ...older } = death;
      await delivery?.deadLetter(older);
      const [held] = await letters.first(1);
      expect(held?.letter.death).to.deep.equal(older);
    });

    it('delivers the raw bytes and headers of what never was a job', async () => {
      const letters = createPile<LetterDelivery>();
      await broker.events.consumeDead(5, letters.take);
      const raw = Buffer.from([0xff, 0, 1]);
      await bench.plant(broker, raw);
      await broker.consume(source, () => expect.fail('it must not be delivered'));
      const [held] = await letters.first(1);
      expect(held?.letter.body).to.deep.equal(raw);
      expect(held?.letter.headers).to.include({ mine: 1 });
      expect(held?.letter).to.include({ queue: 'default', lane: 'normal' });
      expect(held?.letter.death).to.have.property('reason', 'undecodable');
    });

    it('delivers jobs of more runs or attempts than a row can tell apart as dead letters, and goes on with the lane', async () => {
      const letters = createPile<LetterDelivery>();
      await broker.events.consumeDead(5, letters.take);
      const [runs, attempts, sound] = [makeJob({ run: 65_536 }), makeJob({ attempt: 2 ** 30 }), makeJob()];
      for (const job of [runs, attempts, sound]) await broker.publish(job);
      const inbox = createInbox();
      await broker.consume(source, inbox.take);
      const [delivery] = await inbox.first(1);
      expect(delivery?.job).to.deep.equal(sound);
      const told = (await letters.first(2)).map(({ letter: { messageId, body, death: its } }) => ({
        ...{ messageId, body },
        ...{ reason: its.reason, message: its.failure.message },
      }));
      expect(told).to.have.deep.members([
        {
          messageId: runs.id,
          body: runs.body,
          reason: 'undecodable',
          message: 'header sluice-run must be a whole number from 1 to 65535',
        },
        {
          messageId: attempts.id,
          body: attempts.body,
          reason: 'undecodable',
          message: 'header sluice-attempt must be a whole number from 1 to 1073741823',
        },
      ]);
    });

    it('delivers the dead letter of a job that was lost too often', async () => {
      const job = makeJob();
      await broker.publish(job);
      for (;;) {
        if ((await broker.inspect()).deadLetters === 1) break;
        const inbox = createInbox();
        await broker.consume(source, inbox.take);
        let suspect: Delivery | undefined;
        const isDead = async (): Promise<boolean> => (await broker.inspect()).deadLetters === 1;
        await eventually(async () => {
          suspect = await broker.takeSuspect(['default']);
          return suspect !== undefined || inbox.deliveries.length > 0 || (await isDead());
        });
        const held = suspect ?? inbox.deliveries[0];
        if (held === undefined) break;
        held.started();
        await bench.crash(broker);
        broker = await bench.open();
      }
      const letters = createPile<LetterDelivery>();
      await broker.events.consumeDead(5, letters.take);
      const [one] = await letters.first(1);
      expect(one?.letter.messageId).to.equal(job.id);
      expect(one?.letter.body).to.deep.equal(job.body);
      expect(one?.letter).to.include({ queue: 'default', lane: 'normal' });
      expect(one?.letter.death).to.have.property('reason', 'delivery_limit');
    });

    it('delivers dead letters again that were returned or lost, each although all before it are gone', async () => {
      const letters = createPile<LetterDelivery>();
      await broker.events.consumeDead(2, letters.take);
      const inbox = createInbox((delivery) => void delivery.deadLetter(death));
      await broker.consume(source, inbox.take);
      const jobs = [makeJob(), makeJob(), makeJob()];
      for (const [i, job] of jobs.entries()) {
        await broker.publish(job);
        const [returned] = (await letters.first(2 * i + 1)).slice(-1);
        await returned?.return();
        const [again] = (await letters.first(2 * i + 2)).slice(-1);
        expect(again?.letter.messageId).to.equal(job.id);
        if (i < 2) await again?.ack();
      }
      await bench.crash(broker);
      broker = await bench.open();
      const later = createPile<LetterDelivery>();
      await broker.events.consumeDead(5, later.take);
      await later.until((all) => all.some(({ letter }) => letter.messageId === jobs[2]?.id));
    });

    it('tells every listener of this process of each announcement, until it no longer listens', async () => {
      const heard = [createPile<void>(), createPile<void>()];
      const stops = await Promise.all(heard.map((pile) => broker.events.onAnnouncement(() => pile.take())));
      // Listeners are also told when they are connected, so more than one call is no fault.
      for (let i = 0; i < 3; i++) {
        const before = heard.map(({ items }) => items.length);
        await broker.events.announce();
        await Promise.all(heard.map((pile, at) => pile.first((before[at] ?? 0) + 1)));
      }
      stops[0]?.();
      const last = heard.map(({ items }) => items.length);
      await broker.events.announce();
      await heard[1]?.first((last[1] ?? 0) + 1);
      expect(heard[0]?.items).to.have.length(last[0] ?? 0);
    });

    it('counts the jobs that are held back', async () => {
      for (let i = 0; i < 3; i++) await broker.publish(makeJob({ dueAtMs: Date.now() + 3_600_000 }));
      expect(await broker.inspect()).to.deep.include({ delayed: 3 });
    });

    it('delivers a lane at once to whoever consumes it after a cancel, with the new prefetch, whatever is still in hand', async () => {
      const jobs = Array.from({ length: 12 }, () => makeJob());
      for (const job of jobs) await broker.publish(job);
      const first = createInbox();
      const consumer = await broker.consume({ ...source, prefetch: 2 }, first.take);
      const held = await first.first(2);
      await consumer.cancel();
      const second = createInbox();
      const next = await broker.consume({ ...source, prefetch: 5 }, second.take);
      await second.first(5);
      await next.cancel();
      await Promise.all([...held, ...second.deliveries].map((delivery) => delivery.ack()));
      const third = createInbox((delivery) => void delivery.ack());
      await broker.consume({ ...source, prefetch: 1 }, third.take);
      await third.first(5);
      expect(first.deliveries).to.have.length(2);
      expect(second.deliveries).to.have.length(5);
      const all = [first, second, third].flatMap(({ deliveries }) => deliveries.map(({ job }) => job.id));
      expect(all).to.deep.equal(jobs.map(({ id }) => id));
    });
  });
}
