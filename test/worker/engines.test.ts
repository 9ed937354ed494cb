import { expect } from 'chai';
import type { Broker, Delivery, Source } from '../../src/broker/broker.js';
import type { Handler } from '../../src/handler/define.js';
import { RetryLater } from '../../src/job/errors.js';
import type { Job } from '../../src/job/job.js';
import type { QueueOrder } from '../../src/job/orders.js';
import { systemClock } from '../../src/runtime/clock.js';
import { createPool, type Pool } from '../../src/worker/pool.js';
import { createEmbeddedBench } from '../broker/embedded/bench.js';
import { makeJob } from '../broker/inbox.js';
import { createRabbitBench } from '../broker/rabbitmq/bench.js';
import { sharedNode } from '../support/rabbitmq.js';
import { createEventBook } from './support/event-book.js';
import { createMemoryLog, createMemoryObserver, scriptedHandler } from './support/pool-bench.js';
import { createRegisters } from './support/registers.js';

const engines = {
  'the built-in engine': async () => createEmbeddedBench(['default']),
  RabbitMQ: async () => createRabbitBench((await sharedNode()).url, ['default']),
};

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

/** The same broker; counts what is settled. */
function counting(broker: Broker) {
  const settles = { acked: 0, returned: 0, retried: 0 };
  const watched = (delivery: Delivery): Delivery => ({
    job: delivery.job,
    lostCount: delivery.lostCount,
    get isLost() {
      return delivery.isLost;
    },
    started: () => delivery.started(),
    ack() {
      settles.acked += 1;
      return delivery.ack();
    },
    return() {
      settles.returned += 1;
      return delivery.return();
    },
    retry(next) {
      settles.retried += 1;
      return delivery.retry(next);
    },
    deadLetter: (death) => delivery.deadLetter(death),
  });
  return {
    settles,
    consume: (source: Source, deliver: (delivery: Delivery) => void) =>
      broker.consume(source, (delivery) => deliver(watched(delivery))),
    takeSuspect: (queues: readonly string[]) => broker.takeSuspect(queues),
    health: () => broker.health(),
  };
}

for (const [engine, openBench] of Object.entries(engines)) {
  describe(`the worker pool on ${engine}`, () => {
    let closing: (() => Promise<unknown>)[];
    beforeEach(() => {
      closing = [];
    });
    afterEach(async () => {
      for (const close of closing.toReversed()) await close();
    });

    async function setup(handlers: readonly Handler[], concurrency = 2) {
      const bench = await openBench();
      closing.push(() => bench.close());
      const broker = await bench.open();
      const watched = counting(broker);
      const book = createEventBook((event) => broker.events.publish(Buffer.from(JSON.stringify(event))).done);
      const registers = createRegisters();
      const pool: Pool = createPool({
        broker: watched,
        registry: new Map(handlers.map((handler) => [handler.type, handler])),
        queues: [{ name: 'default', concurrency }],
        defaults: { maxAttempts: 5, timeoutMs: 60_000, backoff: { baseMs: 1, maxMs: 1 } },
        graceMs: 1000,
        log: createMemoryLog().log,
        clock: systemClock,
        random: Math.random,
        observer: createMemoryObserver().observer,
        events: book,
        resultMaxBytes: 1000,
        readOrders: () => registers.read(),
        onAnnouncement: (listener) => broker.events.onAnnouncement(listener),
      });
      closing.push(() => pool.stop());
      await pool.start();
      const publish = async (fields: Partial<Job> = {}): Promise<Job> => {
        const job = makeJob({ type: 'work', ...fields });
        await broker.publish(job);
        return job;
      };
      const order = (fields: Partial<QueueOrder>) => {
        registers.queues = [{ queue: 'default', isPaused: false, ...fields }];
        return broker.events.announce();
      };
      const queue = () => {
        const [stats] = pool.stats.queues;
        if (stats === undefined) throw new Error('no queue');
        return stats;
      };
      return { broker, settles: watched.settles, pool, book, registers, publish, order, queue };
    }

    it('cancels jobs that are queued, scheduled, retrying and running, each once, and runs the others', async () => {
      const script = scriptedHandler();
      const { publish, registers, book, broker, pool } = await setup([script.handler], 1);
      const retrying = await publish();
      (await script.call(0)).reject(new RetryLater(300));
      await book.until('retried', 1);
      const running = await publish();
      const call = await script.call(1);
      const queued = await publish();
      const other = await publish();
      const scheduled = await publish({ dueAtMs: Date.now() + 200 });
      registers.cancels = [retrying, running, queued, scheduled].map(({ id }) => ({ id, run: 1 }));
      await broker.events.announce();
      await new Promise((resolve) => call.context.signal.addEventListener('abort', resolve));
      call.reject(call.context.signal.reason);
      (await script.call(2)).resolve();
      await book.until('cancelled', 4);
      await book.until('succeeded', 1);
      await until(() => pool.stats.held === 0);
      expect(script.calls.map((one) => one.job.id)).to.deep.equal([retrying.id, running.id, other.id]);
      for (const [job, kinds] of [
        [retrying, ['started', 'retried', 'cancelled']],
        [running, ['started', 'cancelled']],
        [queued, ['cancelled']],
        [scheduled, ['cancelled']],
        [other, ['started', 'succeeded']],
      ] as const) {
        expect(book.kinds(job.id)).to.deep.equal(kinds);
      }
      expect((await broker.inspect()).lanes.every((lane) => lane.ready === 0)).to.equal(true);
    });

    it('loses and doubles nothing when its queue is paused and resumed under load', async () => {
      const count = 600;
      const { publish, book, order, queue, pool, settles } = await setup([
        { type: 'work', payload: {}, run: turn },
      ]);
      await Promise.all(Array.from({ length: count }, () => publish()));
      for (const reached of [100, 300]) {
        await book.until('succeeded', reached);
        await order({ isPaused: true });
        await until(() => queue().isPaused && pool.stats.held === 0);
        const done = book.kinds().filter((kind) => kind === 'succeeded').length;
        for (let turns = 0; turns < 20; turns++) await turn();
        expect([book.kinds().filter((kind) => kind === 'succeeded').length, done < count]).to.deep.equal([
          done,
          true,
        ]);
        await order({});
      }
      await book.until('succeeded', count);
      await until(() => pool.stats.held === 0);
      const ids = book.events.filter((event) => event.kind === 'succeeded').map((event) => event.id);
      expect([ids.length, new Set(ids).size, settles.acked]).to.deep.equal([count, count, count]);
    });

    it('runs as many at a time as ordered, more and fewer, without losing or doubling any', async () => {
      const count = 300;
      let atOnce = 0;
      let most = 0;
      const { publish, book, order, queue, pool } = await setup([
        {
          type: 'work',
          payload: {},
          async run() {
            atOnce += 1;
            most = Math.max(most, atOnce);
            await turn();
            await turn();
            atOnce -= 1;
          },
        },
      ]);
      await Promise.all(Array.from({ length: count }, () => publish()));
      let reached = 0;
      for (const concurrency of [7, 1, 4]) {
        await order({ concurrency });
        await until(() => queue().concurrency === concurrency && queue().active <= concurrency);
        most = 0;
        reached += 60;
        await book.until('succeeded', reached);
        expect(most).to.equal(concurrency);
        reached = book.kinds().filter((kind) => kind === 'succeeded').length;
      }
      await book.until('succeeded', count);
      await until(() => pool.stats.held === 0);
      expect(new Set(book.events.map((event) => event.id)).size).to.equal(count);
      expect(book.events).to.have.length(2 * count);
    });

    it('acks and retries nothing while no event is confirmed, and all of it then; slots are free meanwhile', async () => {
      const { publish, book, settles, pool, broker } = await setup(
        [
          {
            type: 'work',
            payload: {},
            run(job) {
              if (job.attempt === 1) throw new RetryLater(0);
            },
          },
        ],
        4,
      );
      book.withhold();
      await Promise.all(Array.from({ length: 5 }, () => publish()));
      await Promise.all(Array.from({ length: 5 }, () => publish({ attempt: 2 })));
      await book.until('retried', 5);
      await book.until('succeeded', 5);
      for (let turns = 0; turns < 20; turns++) await turn();
      expect([settles, pool.stats.held]).to.deep.equal([{ acked: 0, returned: 0, retried: 0 }, 10]);
      book.release();
      await book.until('succeeded', 10);
      await until(() => pool.stats.held === 0);
      expect(settles).to.deep.equal({ acked: 10, returned: 0, retried: 5 });
      expect((await broker.inspect()).deadLetters).to.equal(0);
    });

    it('returns at its end what could not be recorded: it is there for the next worker', async () => {
      const { publish, book, settles, pool, broker } = await setup([
        { type: 'work', payload: {}, run: turn },
      ]);
      book.withhold();
      await Promise.all(Array.from({ length: 5 }, () => publish()));
      await book.until('succeeded', 5);
      await pool.stop();
      expect(settles).to.deep.equal({ acked: 0, returned: 5, retried: 0 });
      const seen = new Set<string>();
      await new Promise<void>((resolve) => {
        void broker.consume({ queue: 'default', lane: 'normal', prefetch: 10 }, (delivery) => {
          seen.add(delivery.job.id);
          if (seen.size === 5) resolve();
        });
      });
    });
  });
}
