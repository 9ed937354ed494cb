/**
 * What every engine promises, as one suite. An engine's test file calls `exerciseBroker` with a way to open brokers on one
 * and the same store; what only some engines have is tested in their own files.
 */
import { expect } from 'chai';
import type { Broker } from '../../src/broker/broker.js';
import { Lost } from '../../src/job/errors.js';
import { lanes } from '../../src/job/job.js';
import { createInbox, makeJob } from './inbox.js';

export interface Bench {
  /** A started broker on the bench's store. Each call is another process as far as the engine can tell. */
  open(): Promise<Broker>;
  /** Ends it in good order. */
  stop(broker: Broker): Promise<void>;
  /** Ends a broker as a kill of its process would: nothing is flushed or returned. */
  crash(broker: Broker): Promise<void>;
  close(): Promise<void>;
}

export function exerciseBroker(name: string, openBench: () => Promise<Bench>): void {
  describe(`${name} keeps the promises of the broker port`, () => {
    let bench: Bench;
    let broker: Broker;
    beforeEach(async () => {
      bench = await openBench();
      broker = await bench.open();
    });
    afterEach(() => bench.close());

    const source = { queue: 'default', lane: 'normal', prefetch: 10 } as const;

    it('delivers what was published, every field intact', async () => {
      const inbox = createInbox();
      const job = makeJob({
        type: 'a.type',
        lane: 'high',
        body: Buffer.from('{"text":"ä€😀"}'),
        run: 3,
        attempt: 2,
        maxAttempts: 7,
        timeoutMs: 1234,
        expiresAtMs: Date.now() + 1e6,
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        tracestate: 'vendor=1',
      });
      await broker.publish(job);
      await broker.consume({ ...source, lane: 'high' }, inbox.take);
      const [delivery] = await inbox.first(1);
      expect(delivery?.job).to.deep.equal(job);
      expect(delivery?.lostCount).to.equal(0);
    });

    it('keeps the lanes of a queue apart', async () => {
      for (const lane of lanes) await broker.publish(makeJob({ lane, type: `of.${lane}` }));
      for (const lane of lanes) {
        const inbox = createInbox();
        await broker.consume({ ...source, lane }, inbox.take);
        const [delivery] = await inbox.first(1);
        expect(delivery?.job.type).to.equal(`of.${lane}`);
        expect(delivery?.job.lane).to.equal(lane);
      }
    });

    it('delivers a lane in the order of publishing', async () => {
      const jobs = Array.from({ length: 200 }, () => makeJob());
      for (const job of jobs) await broker.publish(job);
      const inbox = createInbox((delivery) => void delivery.ack());
      await broker.consume(source, inbox.take);
      const got = await inbox.first(jobs.length);
      expect(got.map((delivery) => delivery.job.id)).to.deep.equal(jobs.map((job) => job.id));
    });

    it('holds no more than the prefetch unsettled', async () => {
      await Promise.all(Array.from({ length: 30 }, () => broker.publish(makeJob())));
      const inbox = createInbox();
      await broker.consume({ ...source, prefetch: 4 }, inbox.take);
      const [first] = await inbox.first(4);
      // A settle lets exactly one more come; had more than four been sent, they would be here before it.
      await first?.ack();
      await inbox.first(5);
      expect(inbox.deliveries).to.have.length(5);
    });

    it('delivers an acked job never again', async () => {
      const [gone, kept] = [makeJob(), makeJob()];
      await broker.publish(gone);
      await broker.publish(kept);
      const inbox = createInbox();
      await broker.consume(source, inbox.take);
      const [delivery] = await inbox.first(2);
      await delivery?.ack();
      await bench.stop(broker);
      const second = await bench.open();
      const later = createInbox();
      await second.consume(source, later.take);
      const [again] = await later.first(1);
      expect(again?.job.id).to.equal(kept.id);
      expect((await second.inspect()).lanes.find((lane) => lane.lane === 'normal')?.ready).to.equal(0);
    });

    it('delivers a returned job again, unchanged', async () => {
      const job = makeJob({ attempt: 2 });
      await broker.publish(job);
      const inbox = createInbox();
      const consumer = await broker.consume(source, inbox.take);
      const [delivery] = await inbox.first(1);
      await consumer.cancel();
      await delivery?.return();
      const again = createInbox();
      await broker.consume(source, again.take);
      const [second] = await again.first(1);
      expect(second?.job).to.deep.equal(job);
    });

    it('delivers a retried job once more, with what the caller changed', async () => {
      const job = makeJob();
      await broker.publish(job);
      const inbox = createInbox();
      await broker.consume(source, inbox.take);
      const [delivery] = await inbox.first(1);
      const next = { ...job, attempt: 2, dueAtMs: Date.now() + 150 };
      await delivery?.retry(next);
      const [, second] = await inbox.first(2);
      expect(second?.job).to.deep.equal(next);
      expect(Date.now()).to.be.at.least(next.dueAtMs);
    });

    it('retries a job that passes the same delay over and over', async () => {
      const rounds = 6;
      await broker.publish(makeJob());
      const inbox = createInbox((delivery) => {
        const { job } = delivery;
        void delivery.retry({ ...job, attempt: job.attempt + 1, dueAtMs: Date.now() + 100 });
      });
      await broker.consume(source, inbox.take);
      const got = await inbox.first(rounds);
      expect(got.map((delivery) => delivery.job.attempt)).to.deep.equal([1, 2, 3, 4, 5, 6]);
    });

    it('delivers a delayed job when it is due and not before, each at its own time', async () => {
      const now = Date.now();
      const jobs = [700, 100, 400, 1_300].map((delayMs) => makeJob({ dueAtMs: now + delayMs }));
      const arrivals = new Map<string, number>();
      const inbox = createInbox((delivery) => {
        arrivals.set(delivery.job.id, Date.now());
        void delivery.ack();
      });
      await broker.consume(source, inbox.take);
      await Promise.all(jobs.map((job) => broker.publish(job)));
      await inbox.first(jobs.length);
      for (const job of jobs) expect(arrivals.get(job.id)).to.be.at.least(job.dueAtMs);
      expect(inbox.deliveries.map((delivery) => delivery.job.dueAtMs)).to.deep.equal(
        jobs.map((job) => job.dueAtMs).sort((a, b) => a - b),
      );
    });

    it('counts dead letters and what waits', async () => {
      await Promise.all(
        [makeJob(), makeJob({ lane: 'low' }), makeJob({ lane: 'low' })].map((job) => broker.publish(job)),
      );
      const inbox = createInbox();
      await broker.consume(source, inbox.take);
      const [delivery] = await inbox.first(1);
      await delivery?.deadLetter({
        reason: 'permanent',
        failure: { name: 'Error', message: 'no' },
        atMs: Date.now(),
      });
      const { lanes: counted, deadLetters } = await broker.inspect();
      expect(deadLetters).to.equal(1);
      expect(counted).to.deep.include({ queue: 'default', lane: 'low', ready: 2, consumers: 0 });
      expect(counted).to.deep.include({ queue: 'default', lane: 'normal', ready: 0, consumers: 1 });
    });

    it('delivers nothing after a cancel, and cancels twice', async () => {
      const inbox = createInbox();
      const consumer = await broker.consume(source, inbox.take);
      await consumer.cancel();
      await consumer.cancel();
      await broker.publish(makeJob());
      const other = createInbox();
      await broker.consume(source, other.take);
      await other.first(1);
      expect(inbox.deliveries).to.have.length(0);
    });

    it('delivers unsettled jobs again after a crash, and says that they were lost', async () => {
      const jobs = Array.from({ length: 5 }, () => makeJob());
      await Promise.all(jobs.map((job) => broker.publish(job)));
      const inbox = createInbox();
      await broker.consume(source, inbox.take);
      const [delivery] = await inbox.first(5);
      await bench.crash(broker);
      const second = await bench.open();
      const later = createInbox((again) => void again.ack());
      await second.consume(source, later.take);
      await later.first(5);
      expect(later.ids).to.deep.equal(new Set(jobs.map((job) => job.id)));
      const lost = await delivery?.ack().then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(lost).to.be.instanceOf(Lost);
    });

    it('offers a job that was lost three times only as a suspect, and one suspect at a time', async () => {
      const jobs = [makeJob(), makeJob()];
      for (const job of jobs) await broker.publish(job);
      let holder = broker;
      for (let crash = 1; crash <= 3; crash++) {
        const inbox = createInbox();
        await holder.consume(source, inbox.take);
        await inbox.first(2);
        await bench.crash(holder);
        holder = await bench.open();
      }
      const lane = createInbox();
      await holder.consume(source, lane.take);
      const taken: string[] = [];
      const take = async (): Promise<void> => {
        const suspect = await holder.takeSuspect(['default']);
        if (suspect === undefined) return;
        taken.push(suspect.job.id);
        await suspect.ack();
      };
      while (taken.length < 2) await take();
      expect(new Set(taken)).to.deep.equal(new Set(jobs.map((job) => job.id)));
      expect(lane.deliveries).to.have.length(0);
      expect(await holder.takeSuspect(['default'])).to.equal(undefined);
    });

    it('keeps a suspect through any number of drains', async () => {
      await broker.publish(makeJob());
      let holder = broker;
      for (let crash = 1; crash <= 3; crash++) {
        const inbox = createInbox();
        await holder.consume(source, inbox.take);
        await inbox.first(1);
        await bench.crash(holder);
        holder = await bench.open();
      }
      const lane = await holder.consume(source, () => {});
      for (let drain = 1; drain <= 12; drain++) {
        let suspect = await holder.takeSuspect(['default']);
        while (suspect === undefined) suspect = await holder.takeSuspect(['default']);
        expect(suspect.lostCount).to.equal(0);
        await suspect.return();
      }
      await lane.cancel();
      expect((await holder.inspect()).suspects).to.deep.include({ queue: 'default', ready: 1 });
    });

    it('settles a delivery once: a second settle is an error of the caller', async () => {
      await broker.publish(makeJob());
      const inbox = createInbox();
      await broker.consume(source, inbox.take);
      const [delivery] = await inbox.first(1);
      await delivery?.ack();
      const second = await delivery?.ack().then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(second).to.be.instanceOf(Error).and.not.instanceOf(Lost);
    });

    it('starts twice, stops twice, and stops before it was started', async () => {
      await broker.start();
      expect(broker.health().ok).to.equal(true);
      await Promise.all([broker.stop(), broker.stop()]);
      await broker.stop();
      expect(broker.health().ok).to.equal(false);
    });
  });
}
