import { expect } from 'chai';
import type { Handler } from '../../src/handler/define.js';
import { RetryLater } from '../../src/job/errors.js';
import { createEmbeddedBench } from '../broker/embedded/bench.js';
import { createRabbitBench } from '../broker/rabbitmq/bench.js';
import { sharedNode } from '../support/rabbitmq.js';
import { startPoolOn, turn, until } from './support/engine-pool.js';
import { scriptedHandler } from './support/pool-bench.js';

const engines = {
  'the built-in engine': async () => createEmbeddedBench(['default']),
  RabbitMQ: async () => createRabbitBench((await sharedNode()).url, ['default']),
};

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
      const setting = await startPoolOn(broker, handlers, concurrency);
      closing.push(() => setting.pool.stop());
      return setting;
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
      const { signal } = call.context;
      // The news may be there before the broker has confirmed it to its sender.
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      call.reject(signal.reason);
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
