import { expect } from 'chai';
import { Unavailable } from '../../../src/job/errors.js';
import { createInbox, makeJob, rejectionOf } from '../inbox.js';
import { exerciseStock, fill } from '../stock.js';
import { openRabbitStock } from './stock-bench.js';

exerciseStock('RabbitMQ', () => openRabbitStock());

describe('the stock of RabbitMQ', () => {
  it('puts one job in hand until the target has taken it, so that moves in vain make no suspects', async () => {
    const bench = await openRabbitStock();
    const jobs = Array.from({ length: 40 }, () => makeJob());
    const parcels = jobs.map((job) => ({ kind: 'waiting', job }) as const);
    await fill(bench.target(), parcels);
    for (let move = 0; move < 3; move++) {
      const source = bench.source();
      await source.start();
      const stopping = new AbortController();
      const taken: string[] = [];
      const drained = source.drain((parcel) => {
        if (parcel.kind === 'waiting') taken.push(parcel.job.id);
        setImmediate(() => stopping.abort()); // The target does not answer, and the user has had enough.
        return new Promise((_, reject) => {
          stopping.signal.addEventListener('abort', () => reject(new Unavailable('stopped')));
        });
      }, stopping.signal);
      expect(await rejectionOf(drained)).to.be.instanceOf(Unavailable);
      await source.stop();
      expect(taken).to.deep.equal([jobs[0]?.id]);
    }
    const broker = await bench.open();
    const inbox = createInbox((delivery) => void delivery.ack());
    await broker.consume({ queue: 'default', lane: 'normal', prefetch: 100 }, inbox.take);
    const got = await inbox.first(39);
    expect(got.map(({ job, lostCount }) => [job.id, lostCount])).to.deep.equal(
      jobs.slice(1).map(({ id }) => [id, 0]),
    );
    await bench.close();
  });
});
