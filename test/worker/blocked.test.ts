import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Broker } from '../../src/broker/broker.js';
import { createEventSender } from '../../src/events/sender.js';
import { createSpool } from '../../src/events/spool.js';
import { decodeBatch } from '../../src/job/event-codec.js';
import { systemClock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
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
    let go = (): void => {};
    const going = new Promise<void>((resolve) => {
      go = resolve;
    });
    const run = async ({ attempt }: { readonly attempt: number }): Promise<void> => {
      await going;
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
    go();
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

  it('drains on: final events go to the spool, their jobs are acked, and the events arrive afterwards', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-spool-'));
    const broker = await bench.open();
    const sender = senderOf(broker, folder);
    await sender.start();
    const ids = new Set<string>();
    let go = (): void => {};
    const going = new Promise<void>((resolve) => {
      go = resolve;
    });
    const run = async ({ id }: { readonly id: string }): Promise<void> => {
      await going;
      ids.add(id);
    };
    const { publish, settles, pool } = await startPoolOn(broker, [{ type: 'work', payload: {}, run }], 4, {
      events: sender,
      consumerTimeoutMs: Number.POSITIVE_INFINITY,
    });
    const blocked = new Promise<void>((resolve) => {
      broker.events.onBlocked((isBlocked) => isBlocked && resolve());
    });
    const jobs = await Promise.all(Array.from({ length: 40 }, () => publish()));
    await node.setMemoryAlarm(true);
    // The broker says so only when something is published.
    sender.tell({ ...aboutNothing, id: randomUUID() });
    await blocked;
    go();
    await until(() => settles.acked === jobs.length && pool.stats.held === 0);
    expect(broker.stats.isBlocked).to.equal(true);
    expect(sender.stats.spooled).to.be.at.least(jobs.length);
    await node.setMemoryAlarm(false);
    const succeeded = new Set<string>();
    await new Promise<void>((resolve) => {
      void broker.events.consume(10, (delivery) => {
        void delivery.ack();
        for (const event of decodeBatch(delivery.batch).events) {
          if (event.kind === 'succeeded') succeeded.add(event.id);
        }
        if (succeeded.size === jobs.length) resolve();
      });
    });
    expect(succeeded)
      .to.deep.equal(ids)
      .and.to.deep.equal(new Set(jobs.map(({ id }) => id)));
    await pool.stop();
    await sender.stop();
    rmSync(folder, { recursive: true, force: true });
  });
});

const aboutNothing = {
  type: 'other',
  queue: 'default',
  lane: 'normal',
  run: 1,
  attempt: 1,
  dueAtMs: 0,
  atMs: 0,
  kind: 'accepted',
} as const;

function senderOf(broker: Broker, folder: string) {
  const source = randomUUID();
  const common = { source, clock: systemClock, log: createLog('silent') };
  return createEventSender({
    ...common,
    role: 'work',
    host: 'here',
    channel: broker.events,
    isBlocked: () => broker.stats.isBlocked,
    held: () => 0,
    hasWaiting: () => false,
    spool: createSpool({ ...common, folder }),
  });
}
