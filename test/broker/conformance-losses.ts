/** The promises about jobs that are in hand when a process ends: they come again, and only those that kill are set aside. */
import { expect } from 'chai';
import type { Broker, Delivery, Source } from '../../src/broker/broker.js';
import { Lost } from '../../src/job/errors.js';
import { answerOf, eventually } from '../support/eventually.js';
import type { Bench, Capabilities } from './conformance-bench.js';
import { createInbox, makeJob, rejectionOf } from './inbox.js';

export function exerciseLosses(
  name: string,
  openBench: () => Promise<Bench>,
  { countsOnlyStarted }: Capabilities,
): void {
  describe(`${name} survives the end of its process`, () => {
    let bench: Bench;
    let broker: Broker;
    beforeEach(async () => {
      bench = await openBench();
      broker = await bench.open();
    });
    afterEach(() => bench.close());

    const source = { queue: 'default', lane: 'normal', prefetch: 10 } as const;

    /** Takes `count` jobs of the lane in hand, does something with each, crashes, and opens again. */
    async function loseInHand(
      holder: Broker,
      count: number,
      act: (delivery: Delivery) => void = (delivery) => delivery.started(),
      from: Source = source,
    ): Promise<Broker> {
      const inbox = createInbox();
      await holder.consume(from, inbox.take);
      for (const delivery of await inbox.first(count)) act(delivery);
      await bench.crash(holder);
      return bench.open();
    }

    async function untilSuspect(holder: Broker): Promise<Delivery> {
      const taken = await answerOf(
        () => holder.takeSuspect(['default']),
        (suspect) => suspect !== undefined,
      );
      return taken as Delivery;
    }

    it('delivers unsettled jobs again after a crash, and says that they were lost', async () => {
      const jobs = Array.from({ length: 5 }, () => makeJob());
      await Promise.all(jobs.map((job) => broker.publish(job)));
      const inbox = createInbox();
      await broker.consume(source, inbox.take);
      const held = await inbox.first(5);
      for (const one of held) one.started();
      await bench.crash(broker);
      const second = await bench.open();
      const later = createInbox((again) => void again.ack());
      await second.consume(source, later.take);
      await later.first(5);
      expect(later.deliveries.map(({ job }) => job)).to.deep.equal(jobs);
      for (const again of later.deliveries) expect(again.lostCount).to.equal(1);
      for (const one of held) {
        expect(one.isLost).to.equal(true);
        expect(await rejectionOf(one.ack())).to.be.instanceOf(Lost);
      }
    });

    it('offers a job that was lost three times only as a suspect, and one suspect at a time', async () => {
      const jobs = [makeJob(), makeJob()];
      for (const job of jobs) await broker.publish(job);
      let holder = broker;
      for (let crash = 1; crash <= 3; crash++) holder = await loseInHand(holder, 2);
      const lane = createInbox();
      await holder.consume(source, lane.take);
      const taken: string[] = [];
      while (taken.length < 2) {
        const suspect = await untilSuspect(holder);
        taken.push(suspect.job.id);
        await suspect.ack();
      }
      expect(new Set(taken)).to.deep.equal(new Set(jobs.map((job) => job.id)));
      expect(lane.deliveries).to.have.length(0);
      expect(await holder.takeSuspect(['default'])).to.equal(undefined);
    });

    it('makes no second suspect of a job when the first of many ends the process at once', async () => {
      const MANY = 200;
      await Promise.all(Array.from({ length: MANY }, () => broker.publish(makeJob())));
      let holder = broker;
      const all = { ...source, prefetch: MANY };
      for (let crash = 1; crash <= 3; crash++) holder = await loseInHand(holder, MANY, undefined, all);
      await holder.consume(all, () => {});
      (await untilSuspect(holder)).started();
      await bench.crash(holder);
      holder = await bench.open();
      const counts = await answerOf(
        () => holder.inspect(),
        ({ lanes, suspects }) => [...lanes, ...suspects].reduce((sum, { ready }) => sum + ready, 0) >= MANY,
      );
      expect(counts.suspects).to.deep.include({ queue: 'default', ready: MANY });
      for (const { ready } of counts.lanes) expect(ready).to.equal(0);
    });

    it('keeps a suspect through any number of drains', async () => {
      await broker.publish(makeJob());
      let holder = broker;
      for (let crash = 1; crash <= 3; crash++) holder = await loseInHand(holder, 1);
      const lane = await holder.consume(source, () => {});
      for (let drain = 1; drain <= 12; drain++) {
        const suspect = await untilSuspect(holder);
        suspect.started();
        expect(suspect.lostCount).to.equal(0);
        await suspect.return();
      }
      await lane.cancel();
      expect((await holder.inspect()).suspects).to.deep.include({ queue: 'default', ready: 1 });
    });

    it('moves a suspect that is lost five times more to the dead letters', async () => {
      await broker.publish(makeJob());
      let holder = broker;
      for (let crash = 1; crash <= 3; crash++) holder = await loseInHand(holder, 1);
      // The lane is consumed, for an engine may find out about suspects only while it delivers.
      const isDead = async (): Promise<boolean> => (await holder.inspect()).deadLetters === 1;
      let losses = 0;
      for (; !(await isDead()) && losses < 10; losses++) {
        await holder.consume(source, () => {});
        let suspect: Delivery | undefined;
        await eventually(async () => {
          suspect = await holder.takeSuspect(['default']);
          return suspect !== undefined || (await isDead());
        });
        if (suspect === undefined) break;
        expect(suspect.lostCount).to.equal(losses);
        suspect.started();
        await bench.crash(holder);
        holder = await bench.open();
      }
      expect(losses).to.equal(5);
      expect(await holder.takeSuspect(['default'])).to.equal(undefined);
      expect((await holder.inspect()).suspects).to.deep.include({ queue: 'default', ready: 0 });
    });

    it('runs a suspect of the queues asked for alone, and retries and dead-letters it like any other', async () => {
      for (let i = 0; i < 2; i++) await broker.publish(makeJob());
      let holder = broker;
      for (let crash = 1; crash <= 3; crash++) holder = await loseInHand(holder, 2);
      const lane = createInbox();
      await holder.consume(source, lane.take);
      const first = await untilSuspect(holder);
      expect(await holder.takeSuspect(['other'])).to.equal(undefined);
      await first.retry({ ...first.job, attempt: first.job.attempt + 1 });
      const [again] = await lane.first(1);
      expect(again?.job).to.deep.equal({ ...first.job, attempt: 2 });
      expect(again?.lostCount).to.equal(0);
      const second = await untilSuspect(holder);
      await second.deadLetter({ reason: 'permanent', failure: { name: 'E', message: 'm' }, atMs: 1 });
      expect(await holder.inspect()).to.deep.include({ deadLetters: 1 });
      expect((await holder.inspect()).suspects).to.deep.include({ queue: 'default', ready: 0 });
    });

    if (countsOnlyStarted) {
      it('charges a crash to the job that had started, and not to those that waited beside it', async () => {
        const [killer, neighbour] = [makeJob(), makeJob()];
        for (const job of [killer, neighbour]) await broker.publish(job);
        let holder = broker;
        const start = (delivery: Delivery): void => {
          if (delivery.job.id === killer.id) delivery.started();
        };
        for (let crash = 1; crash <= 3; crash++) holder = await loseInHand(holder, 2, start);
        const lane = createInbox();
        await holder.consume(source, lane.take);
        const [delivery] = await lane.first(1);
        expect(delivery?.job.id).to.equal(neighbour.id);
        expect(delivery?.lostCount).to.equal(0);
        expect((await untilSuspect(holder)).job.id).to.equal(killer.id);
      });

      it('does not charge a crash to what had been returned, retried or acked before it', async () => {
        const jobs = Array.from({ length: 3 }, () => makeJob());
        for (const job of jobs) await broker.publish(job);
        let holder = broker;
        for (let crash = 1; crash <= 4; crash++) {
          const inbox = createInbox();
          const consumer = await holder.consume(source, inbox.take);
          const [first, second, third] = await inbox.first(3);
          for (const delivery of [first, second, third]) {
            expect(delivery?.lostCount).to.equal(0);
            delivery?.started();
          }
          await consumer.cancel();
          await first?.return();
          await second?.retry({ ...second.job });
          await third?.ack();
          await holder.publish(makeJob());
          await bench.crash(holder);
          holder = await bench.open();
        }
      });

      it('does not charge a stop to a job that was running', async () => {
        await broker.publish(makeJob());
        let holder = broker;
        for (let stop = 1; stop <= 4; stop++) {
          const inbox = createInbox();
          await holder.consume(source, inbox.take);
          const [delivery] = await inbox.first(1);
          expect(delivery?.lostCount).to.equal(0);
          delivery?.started();
          await bench.stop(holder);
          holder = await bench.open();
        }
      });
    }
  });
}
