import { expect } from 'chai';
import { createRabbitBench, type RabbitBench } from '../broker/rabbitmq/bench.js';
import { type RabbitNode, startNode } from '../support/rabbitmq.js';
import { startPoolOn, turn, until } from './support/engine-pool.js';

describe('the worker pool while RabbitMQ is short of memory', () => {
  let node: RabbitNode;
  let bench: RabbitBench;
  before(async () => {
    node = await startNode();
  });
  after(() => node.remove());
  beforeEach(() => {
    bench = createRabbitBench(node.url);
  });
  afterEach(async () => {
    await node.setMemoryAlarm(false);
    await bench.close();
  });

  it('settles nothing whose event is held back, and all of it, once, when events flow again', async () => {
    const broker = await bench.open();
    let isGoing = false;
    const run = async ({ attempt }: { readonly attempt: number }): Promise<void> => {
      await until(() => isGoing);
      if (attempt === 1) throw new Error('again');
    };
    const { publish, book, settles, pool } = await startPoolOn(
      broker,
      [{ type: 'work', payload: {}, run }],
      4,
    );
    const blocked = new Promise<void>((resolve) => {
      broker.events.onBlocked((isBlocked) => isBlocked && resolve());
    });
    for (const attempt of [1, 2, 2, 2]) await publish({ attempt });
    await book.until('started', 4);
    await node.setMemoryAlarm(true);
    isGoing = true;
    await blocked;
    await book.until('retried', 1);
    await book.until('succeeded', 3);
    for (let turns = 0; turns < 20; turns++) await turn();
    expect([settles, pool.stats.held, pool.stats.queues[0]?.active]).to.deep.equal([
      { acked: 0, returned: 0, retried: 0 },
      4,
      0,
    ]);
    await node.setMemoryAlarm(false);
    await book.until('succeeded', 4);
    await until(() => pool.stats.held === 0);
    expect(settles).to.deep.equal({ acked: 4, returned: 0, retried: 1 });
    await pool.stop();
  });
});
