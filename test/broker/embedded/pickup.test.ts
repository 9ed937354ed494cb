import { expect } from 'chai';
import type { Broker } from '../../../src/broker/broker.js';
import type { SqliteThread } from '../../../src/runtime/sqlite-thread.js';
import { eventually } from '../../support/eventually.js';
import { createInbox, makeJob } from '../inbox.js';
import { createEmbeddedBench } from './bench.js';

describe('the way of a job from its publish to its handler', () => {
  it('meets the disk once: its write', async () => {
    const { seen, broker, bench } = noted();
    await broker.start();
    const inbox = createInbox();
    await broker.consume({ queue: 'default', lane: 'normal', prefetch: 10 }, inbox.take);
    await eventually(() => seen.includes('engine.fetch done'));
    seen.length = 0;
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
});

function noted() {
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
  return { bench, seen, broker };
}
