import { expect } from 'chai';
import type { Broker } from '../../../src/broker/broker.js';
import type { SqliteThread } from '../../../src/runtime/sqlite-thread.js';
import { createInbox, makeJob } from '../inbox.js';
import { createEmbeddedBench } from './bench.js';

describe('the way of a job from its publish to its handler', () => {
  it('meets the disk once: the lane is read in the batch that brings the job', async () => {
    const bench = createEmbeddedBench();
    /** Operations in the order in which they were asked for, and the answers among them. */
    const seen: string[] = [];
    const noting: Pick<SqliteThread, 'run'> = {
      async run(operation, argument, bytes) {
        seen.push(operation);
        const result = await bench.threadOf(broker).run(operation, argument, bytes);
        seen.push(`${operation} done`);
        return result;
      },
    };
    const broker: Broker = bench.make({ thread: noting as SqliteThread });
    await broker.start();
    const inbox = createInbox();
    await broker.consume({ queue: 'default', lane: 'normal', prefetch: 10 }, inbox.take);
    await broker.inspect(); // The first look at the lane is over: one operation after the other.
    seen.length = 0;
    await broker.publish(makeJob());
    await inbox.first(1);
    expect(seen.slice(0, 4)).to.deep.equal([
      'engine.publish',
      'engine.fetch',
      'engine.publish done',
      'engine.fetch done',
    ]);
    await bench.close();
  });
});
