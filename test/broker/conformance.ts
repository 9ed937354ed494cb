/**
 * What every engine promises, as one suite. An engine's test file calls `exerciseBroker` with a way to open brokers on one
 * and the same store; what only some engines have is a named capability, or tested in their own files.
 */
import { expect } from 'chai';
import type { Broker } from '../../src/broker/broker.js';
import { Invalid, Lost, Refused, Unavailable } from '../../src/job/errors.js';
import { lanes } from '../../src/job/job.js';
import { longestDelayMs } from '../../src/job/retry.js';
import type { Bench, Capabilities } from './conformance-bench.js';
import { exerciseEvents } from './conformance-events.js';
import { exerciseLosses } from './conformance-losses.js';
import { exerciseSequences } from './conformance-sequences.js';
import { createInbox, makeJob, rejectionOf } from './inbox.js';

export function exerciseBroker(
  name: string,
  openBench: () => Promise<Bench>,
  capabilities: Capabilities,
): void {
  exercisePort(name, openBench);
  exerciseEvents(name, openBench);
  exerciseLosses(name, openBench, capabilities);
  exerciseSequences(name, openBench, capabilities);
}

function exercisePort(name: string, openBench: () => Promise<Bench>): void {
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

    it('delivers none of many acked jobs again, though it is stopped in the same breath', async () => {
      const jobs = Array.from({ length: 200 }, () => makeJob());
      await Promise.all(jobs.map((job) => broker.publish(job)));
      const inbox = createInbox();
      const consumer = await broker.consume({ ...source, prefetch: 200 }, inbox.take);
      const deliveries = await inbox.first(200);
      await consumer.cancel();
      await Promise.all(deliveries.map((delivery) => delivery.ack()));
      await bench.stop(broker);
      const second = await bench.open();
      const mark = makeJob();
      await second.publish(mark);
      const later = createInbox();
      await second.consume(source, later.take);
      const [next] = await later.first(1);
      expect(next?.job.id).to.equal(mark.id);
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

    it('never suspects a job of what pauses and drains do, however often', async () => {
      const job = makeJob();
      await broker.publish(job);
      for (let round = 0; round < 7; round++) {
        const inbox = createInbox();
        const consumer = await broker.consume(source, inbox.take);
        const [delivery] = await inbox.first(1);
        expect(delivery?.job).to.deep.equal(job);
        await consumer.cancel();
        await delivery?.return();
      }
      expect(await broker.takeSuspect(['default'])).to.equal(undefined);
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
      const jobs = [1_400, 200, 800, 2_600].map((delayMs) => makeJob({ dueAtMs: now + delayMs }));
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

    it('settles a delivery once: a second settle is an error of the caller', async () => {
      await broker.publish(makeJob());
      const inbox = createInbox();
      await broker.consume(source, inbox.take);
      const [delivery] = await inbox.first(1);
      await delivery?.ack();
      const job = makeJob();
      const death = { reason: 'permanent', failure: { name: 'Error', message: 'no' }, atMs: 0 } as const;
      for (const settle of [
        () => delivery?.ack(),
        () => delivery?.return(),
        () => delivery?.retry(job),
        () => delivery?.deadLetter(death),
      ]) {
        expect(await rejectionOf(settle()))
          .to.be.instanceOf(Error)
          .and.not.instanceOf(Lost);
      }
      const { lanes: counted, deadLetters } = await broker.inspect();
      expect(deadLetters).to.equal(0);
      expect(counted.every((lane) => lane.ready === 0)).to.equal(true);
    });

    it('says that a delivery is lost once it has stopped', async () => {
      await broker.publish(makeJob());
      const inbox = createInbox();
      await broker.consume(source, inbox.take);
      const [delivery] = await inbox.first(1);
      expect(delivery?.isLost).to.equal(false);
      await bench.stop(broker);
      expect(delivery?.isLost).to.equal(true);
      for (const settle of [
        () => delivery?.ack(),
        () => delivery?.return(),
        () => delivery?.retry(makeJob()),
      ])
        expect(await rejectionOf(settle())).to.be.instanceOf(Lost);
    });

    it('delivers the bytes of a payload as they came, whatever their number', async () => {
      const bodies = [0, 1, 7, 4_096, 100_000, 3_000_000].map((size) => Buffer.alloc(size, 'ä1'));
      await Promise.all(bodies.map((body) => broker.publish(makeJob({ body }))));
      const inbox = createInbox((delivery) => void delivery.ack());
      await broker.consume(source, inbox.take);
      const got = await inbox.first(bodies.length);
      expect(got.map(({ job }) => job.body.length)).to.deep.equal(bodies.map((body) => body.length));
      expect(got.every(({ job }, i) => job.body.equals(bodies[i] as Buffer))).to.equal(true);
    });

    it('shares a lane among its consumers, each within its prefetch', async () => {
      const jobs = Array.from({ length: 40 }, () => makeJob());
      const hands = [2, 3].map((prefetch) => {
        let held = 0;
        const counts = { most: 0, prefetch };
        const inbox = createInbox((delivery) => {
          held += 1;
          counts.most = Math.max(counts.most, held);
          setImmediate(() => {
            held -= 1;
            void delivery.ack();
          });
        });
        return { counts, inbox };
      });
      for (const { inbox, counts } of hands)
        await broker.consume({ ...source, prefetch: counts.prefetch }, inbox.take);
      await Promise.all(jobs.map((job) => broker.publish(job)));
      const isAll = (): boolean => hands.reduce((sum, { inbox }) => sum + inbox.deliveries.length, 0) === 40;
      await Promise.race(hands.map(({ inbox }) => inbox.until(isAll)));
      expect(new Set(hands.flatMap(({ inbox }) => [...inbox.ids])).size).to.equal(40);
      for (const { counts, inbox } of hands) {
        expect(counts.most).to.be.at.most(counts.prefetch);
        expect(inbox.deliveries.length).to.be.at.least(1);
      }
    });

    it('puts a returned job before those that wait', async () => {
      const jobs = Array.from({ length: 6 }, () => makeJob());
      for (const job of jobs) await broker.publish(job);
      const inbox = createInbox();
      const consumer = await broker.consume({ ...source, prefetch: 3 }, inbox.take);
      const hand = await inbox.first(3);
      await consumer.cancel();
      for (const delivery of hand) await delivery.return();
      const later = createInbox((delivery) => void delivery.ack());
      await broker.consume({ ...source, prefetch: 1 }, later.take);
      const got = await later.first(6);
      expect(got.map(({ job }) => job.id)).to.deep.equal(jobs.map((job) => job.id));
    });

    it('takes a subscription before it is started, and delivers once it is', async () => {
      const early = bench.make();
      const inbox = createInbox();
      await early.consume({ ...source, queue: 'other' }, inbox.take);
      const job = makeJob({ queue: 'other' });
      await broker.publish(job);
      await bench.stop(broker);
      await early.start();
      const [delivery] = await inbox.first(1);
      expect(delivery?.job).to.deep.equal(job);
    });

    it('takes nothing before it is started and after it was stopped, and says so', async () => {
      const early = bench.make();
      expect(await rejectionOf(early.publish(makeJob()))).to.be.instanceOf(Unavailable);
      expect(early.stats.isUp).to.equal(false);
      await bench.stop(broker);
      for (const ask of [() => broker.publish(makeJob()), () => broker.inspect()])
        expect(await rejectionOf(ask())).to.be.instanceOf(Unavailable);
      expect(broker.stats.isUp).to.equal(false);
    });

    it('refuses a job for a queue it does not have, and one that is due too late', async () => {
      expect(await rejectionOf(broker.publish(makeJob({ queue: 'nowhere' })))).to.be.instanceOf(Unavailable);
      const late = makeJob({ dueAtMs: Date.now() + longestDelayMs + 86_400_000 });
      expect(await rejectionOf(broker.publish(late))).to.be.instanceOf(Invalid);
    });

    it('refuses what is beyond its window at once, and keeps all that it took', async () => {
      await bench.stop(broker);
      const narrow = await bench.open({ window: 5 });
      const jobs = Array.from({ length: 50 }, () => makeJob());
      const ends = await Promise.all(jobs.map((job) => rejectionOf(narrow.publish(job))));
      const taken = jobs.filter((_, i) => ends[i] === undefined);
      expect(taken.length).to.be.within(5, 10);
      for (const error of ends.filter((end) => end !== undefined))
        expect(error).to.be.instanceOf(Refused).with.property('code', 'overloaded');
      expect(narrow.stats.unconfirmed).to.equal(0);
      const inbox = createInbox((delivery) => void delivery.ack());
      await narrow.consume(source, inbox.take);
      await inbox.first(taken.length);
      expect(inbox.ids).to.deep.equal(new Set(taken.map((job) => job.id)));
    });

    it('keeps what is delayed and what is dead through a stop', async () => {
      const delayed = makeJob({ dueAtMs: Date.now() + 400 });
      await broker.publish(delayed);
      await broker.publish(makeJob());
      const inbox = createInbox();
      await broker.consume(source, inbox.take);
      const [delivery] = await inbox.first(1);
      await delivery?.deadLetter({ reason: 'expired', failure: { name: 'E', message: 'm' }, atMs: 1 });
      await bench.stop(broker);
      const second = await bench.open();
      const later = createInbox();
      await second.consume(source, later.take);
      const [due] = await later.first(1);
      expect(due?.job).to.deep.equal(delayed);
      expect(Date.now()).to.be.at.least(delayed.dueAtMs);
      expect((await second.inspect()).deadLetters).to.equal(1);
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
