import { expect } from 'chai';
import type { Broker } from '../../../src/broker/broker.js';
import { SqliteFailure } from '../../../src/runtime/sqlite-failure.js';
import type { SqliteThread } from '../../../src/runtime/sqlite-thread.js';
import { createDeferred } from '../../support/deferred.js';
import { eventually } from '../../support/eventually.js';
import { createInbox, type Inbox, makeJob } from '../inbox.js';
import { createEmbeddedBench } from './bench.js';

describe('the way of a job from its publish to its handler', () => {
  it('meets the disk once: its write', async () => {
    const { seen, broker, bench } = noted();
    const inbox = await openedAtItsEnd(broker, seen);
    const job = makeJob();
    await broker.publish(job);
    const [delivery] = await inbox.first(1);
    expect(seen).to.deep.equal(['engine.publish', 'engine.publish done']);
    expect(delivery?.job).to.deep.equal(job);
    await delivery?.ack();
    await broker.inspect();
    expect(seen.filter((operation) => operation.startsWith('engine.fetch'))).to.deep.equal([]);
    await bench.close();
  });

  it('is through a read in the same batch when others wait before it', async () => {
    const { seen, broker, bench } = noted();
    await broker.start();
    await broker.publish(makeJob());
    const inbox = createInbox();
    await broker.consume({ queue: 'default', lane: 'normal', prefetch: 10 }, inbox.take);
    seen.length = 0;
    await broker.publish(makeJob());
    await inbox.first(2);
    expect(seen.slice(0, 4)).to.deep.equal([
      'engine.publish',
      'engine.fetch',
      'engine.publish done',
      'engine.fetch done',
    ]);
    await bench.close();
  });

  it('does not begin before its write, also when it needs no read', async () => {
    const gate = createDeferred();
    const { seen, broker, bench } = noted((run) => gate.promise.then(run));
    const inbox = await openedAtItsEnd(broker, seen);
    const published = broker.publish(makeJob());
    await broker.inspect();
    expect(inbox.deliveries).to.deep.equal([]);
    gate.resolve();
    await published;
    await inbox.first(1);
    await bench.close();
  });

  it('does not end with a write that was stored although its answer was a failure', async () => {
    const { seen, broker, bench } = noted(async (run) => {
      await run();
      throw new SqliteFailure('io', 'the disk failed behind the write');
    });
    const inbox = await openedAtItsEnd(broker, seen);
    const job = makeJob();
    expect(await broker.publish(job).catch((error: Error) => error.message)).to.match(/disk failed/);
    const [delivery] = await inbox.first(1);
    expect(delivery?.job).to.deep.equal(job);
    await bench.close();
  });

  it('is that of each neighbour once when one in their batch fails, and the batch is run again', async () => {
    const { seen, broker, bench } = noted();
    const inbox = await openedAtItsEnd(broker, seen);
    const jobs = Array.from({ length: 5 }, () => makeJob());
    const bad = makeJob({ type: null as unknown as string });
    const wanted = [...jobs.slice(0, 2), bad, ...jobs.slice(2)].map((job) => broker.publish(job));
    const fates = await Promise.allSettled(wanted);
    expect(fates.map(({ status }) => status)).to.deep.equal([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
      'fulfilled',
    ]);
    const after = makeJob();
    await broker.publish(after);
    await inbox.first(6);
    expect(inbox.deliveries.map(({ job }) => job.id)).to.deep.equal([...jobs, after].map(({ id }) => id));
    await bench.close();
  });

  it('leaves the other jobs of its request behind', async () => {
    const { seen, broker, bench } = noted();
    const inbox = await openedAtItsEnd(broker, seen);
    const request = Buffer.alloc(1024 * 1024, ' ');
    const body = request.subarray(7, 7 + request.write('{"n":1}', 7));
    await broker.publish(makeJob({ body }));
    const [delivery] = await inbox.first(1);
    expect(delivery?.job.body.toString()).to.equal('{"n":1}');
    expect(delivery?.job.body.buffer.byteLength).to.be.at.most(64 * 1024);
    await bench.close();
  });
});

/** A consumer that has read what there is: nothing. */
async function openedAtItsEnd(broker: Broker, seen: string[]): Promise<Inbox> {
  await broker.start();
  const inbox = createInbox();
  await broker.consume({ queue: 'default', lane: 'normal', prefetch: 10 }, inbox.take);
  await eventually(() => seen.includes('engine.fetch done'));
  seen.length = 0;
  return inbox;
}

/** @param publish  stands between the engine and a write: called with what does it */
function noted(publish: (run: () => Promise<unknown>) => Promise<unknown> = (run) => run()) {
  const bench = createEmbeddedBench();
  /** Operations in the order in which they were asked for, and the answers among them. */
  const seen: string[] = [];
  const noting: Pick<SqliteThread, 'run'> = {
    async run(operation, argument, bytes) {
      seen.push(operation);
      const run = () => bench.threadOf(broker).run(operation, argument, bytes);
      const result = await (operation === 'engine.publish' ? publish(run) : run());
      seen.push(`${operation} done`);
      return result;
    },
  };
  const broker: Broker = bench.make({ thread: noting as SqliteThread });
  return { bench, seen, broker };
}
