import { Socket } from 'node:net';
import amqp from 'amqplib';
import { expect } from 'chai';
import { LONGEST_DELAY_MS } from '../../../src/broker/rabbitmq/topology.js';
import { Invalid, OutcomeUnknown, Refused, Unavailable } from '../../../src/job/errors.js';
import { systemClock } from '../../../src/runtime/clock.js';
import { eventually } from '../../support/eventually.js';
import { startProxy } from '../../support/proxy.js';
import { createInbox, makeJob } from '../inbox.js';
import { useOwnNode } from './bench.js';

/** What a promise rejected with; fails when it resolved. */
async function rejection(promise: Promise<unknown>): Promise<Error> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(Error);
  return error as Error;
}

function isStored(published: Promise<void>): Promise<boolean> {
  return published.then(
    () => true,
    () => false,
  );
}

/** Calls of the system that write to any socket of this process; `restore` ends the count. */
function countWrites(): { readonly count: number; restore(): void } {
  const { _write, _writev } = Socket.prototype;
  let count = 0;
  Socket.prototype._write = function write(...args) {
    count++;
    return _write.apply(this, args);
  };
  Socket.prototype._writev = function writev(...args) {
    count++;
    return _writev?.apply(this, args);
  };
  return {
    get count() {
      return count;
    },
    restore: () => void Object.assign(Socket.prototype, { _write, _writev }),
  };
}

const source = { queue: 'default', lane: 'normal', prefetch: 100 } as const;

describe('publishing to RabbitMQ', () => {
  const own = useOwnNode();

  it('writes messages that any AMQP client can read: the payload is the body, the id and type are properties', async () => {
    const broker = await own.bench.open();
    const job = makeJob({ body: Buffer.from('{"a":[1,2]}') });
    await broker.publish(job);
    const connection = await amqp.connect(own.node.url);
    const channel = await connection.createChannel();
    const message = await channel.get(`${own.bench.prefix}.jobs.default.normal`, { noAck: true });
    await connection.close();
    if (message === false) throw new Error('the message is not in its lane');
    expect(message.content.toString()).to.equal('{"a":[1,2]}');
    expect(message.properties.messageId).to.equal(job.id);
    expect(message.properties.type).to.equal('echo');
    expect(message.properties.contentType).to.equal('application/json');
    expect(message.properties.deliveryMode).to.equal(2);
    expect(
      Object.keys(message.properties.headers ?? {}).filter((name) => name.startsWith('sluice-')),
    ).to.deep.equal([]);
  });

  it('writes what is published in one turn at once, however much it is', async () => {
    const broker = await own.bench.open();
    const writes = countWrites();
    try {
      await Promise.all(Array.from({ length: 1000 }, () => broker.publish(makeJob())));
    } finally {
      writes.restore();
    }
    expect(writes.count).to.be.within(1, 10);
  });

  it('refuses while there is no connection', async () => {
    const broker = own.bench.make();
    expect(await rejection(broker.publish(makeJob()))).to.be.instanceOf(Unavailable);
  });

  it('refuses a delay beyond 310 days', async () => {
    const broker = await own.bench.open();
    const error = await rejection(
      broker.publish(makeJob({ dueAtMs: Date.now() + LONGEST_DELAY_MS + 60_000 })),
    );
    expect(error).to.be.instanceOf(Invalid);
    expect(error.message).to.include('310 days');
  });

  it('does not take an unroutable job for stored, and declares the lost queue again', async () => {
    const broker = await own.bench.open();
    const connection = await amqp.connect(own.node.url);
    const channel = await connection.createChannel();
    await channel.deleteQueue(`${own.bench.prefix}.jobs.default.normal`);
    await connection.close();
    expect(await rejection(broker.publish(makeJob()))).to.be.instanceOf(Unavailable);
    // Declared again in the background: a consumer on it waits for exactly that.
    const inbox = createInbox();
    await broker.consume(source, inbox.take);
    const job = makeJob();
    await eventually(() => isStored(broker.publish(job)));
    const [delivery] = await inbox.first(1);
    expect(delivery?.job.id).to.equal(job.id);
  });

  it('asks for no more permissions than its own names and the default exchange', async () => {
    const { prefix } = own.bench;
    await own.node.rabbitmqctl('add_user', 'narrow', 'secret');
    const [names, written] = [`^${prefix}\\.`, `^(${prefix}\\.|amq\\.default$)`];
    await own.node.rabbitmqctl('set_permissions', 'narrow', names, written, names);
    const url = new URL(own.node.url);
    [url.username, url.password] = ['narrow', 'secret'];
    const broker = await own.bench.open({ urls: [url.href] });
    const inbox = createInbox();
    await broker.consume(source, inbox.take);
    const jobs = [makeJob(), makeJob({ dueAtMs: Date.now() + 150 })];
    for (const job of jobs) await broker.publish(job);
    await broker.events.announce();
    const [first] = await inbox.first(1);
    await first?.retry({ ...first.job, attempt: 2 });
    const deliveries = await inbox.first(3);
    expect(new Set(deliveries.map(({ job }) => job.id))).to.deep.equal(new Set(jobs.map(({ id }) => id)));
    await deliveries[1]?.deadLetter({
      reason: 'permanent',
      failure: { name: 'Error', message: 'no' },
      atMs: 1,
    });
    await eventually(async () => (await broker.inspect()).deadLetters === 1);
  });

  it('tells a nack of the broker as a refusal, and keeps what was confirmed before', async () => {
    const broker = await own.bench.open();
    const lane = `${own.bench.prefix}.jobs.default.normal`;
    await own.node.rabbitmqctl(
      'set_policy',
      'full',
      `^${lane.replaceAll('.', '\\.')}$`,
      '{"max-length":5}',
      '--apply-to',
      'queues',
    );
    const accepted: string[] = [];
    let refused: unknown;
    while (refused === undefined) {
      const job = makeJob();
      await broker.publish(job).then(
        () => accepted.push(job.id),
        (error: unknown) => {
          refused = error;
        },
      );
    }
    expect(refused).to.be.instanceOf(Refused).with.property('code', 'queue_full');
    await own.node.rabbitmqctl('clear_policy', 'full');
    const inbox = createInbox((delivery) => void delivery.ack());
    await broker.consume(source, inbox.take);
    await inbox.first(accepted.length);
    expect([...inbox.ids]).to.deep.equal(accepted);
  });

  it('holds a retry until a full queue has room again', async () => {
    const broker = await own.bench.open();
    const lane = `${own.bench.prefix}.jobs.default.low`;
    await broker.publish(makeJob());
    await broker.publish(makeJob({ lane: 'low' }));
    await broker.publish(makeJob({ lane: 'low' }));
    await own.node.rabbitmqctl(
      'set_policy',
      'full',
      `^${lane.replaceAll('.', '\\.')}$`,
      '{"max-length":1}',
      '--apply-to',
      'queues',
    );
    const inbox = createInbox();
    await broker.consume(source, inbox.take);
    const [delivery] = await inbox.first(1);
    const moved = { ...(delivery?.job ?? makeJob()), lane: 'low', attempt: 2, dueAtMs: 0 } as const;
    const retried = delivery?.retry(moved);
    const low = createInbox((one) => void one.ack());
    await broker.consume({ ...source, lane: 'low' }, low.take);
    await retried;
    await low.until((all) => all.some((one) => one.job.id === moved.id));
    await own.node.rabbitmqctl('clear_policy', 'full');
  });

  it('keeps at most its window unconfirmed, lets as many wait, and refuses what goes beyond', async () => {
    const proxy = await startProxy(own.node.url);
    const broker = await own.bench.open({ urls: [proxy.url], window: 10, publishTimeoutMs: 60_000 });
    proxy.pause();
    const sent = Array.from({ length: 20 }, () => broker.publish(makeJob()));
    expect(broker.stats.unconfirmed).to.equal(10);
    const error = await rejection(broker.publish(makeJob()));
    expect(error).to.be.instanceOf(Refused).with.property('code', 'overloaded');
    proxy.resume();
    await Promise.all(sent);
    expect(broker.stats.unconfirmed).to.equal(0);
    await proxy.close();
  });

  it('calls it an unknown outcome when no confirm comes in time, and tells a late one', async () => {
    const proxy = await startProxy(own.node.url);
    const broker = await own.bench.open({ urls: [proxy.url], publishTimeoutMs: 200 });
    proxy.pause();
    const error = await rejection(broker.publish(makeJob()));
    expect(error).to.be.instanceOf(OutcomeUnknown);
    proxy.resume();
    await (error as OutcomeUnknown).stored;
    await broker.publish(makeJob());
    expect(broker.stats.unconfirmed).to.equal(0);
    await proxy.close();
  });

  it('gives the place of a publish that timed out to no other while the broker has not answered', async () => {
    const proxy = await startProxy(own.node.url);
    const broker = await own.bench.open({ urls: [proxy.url], window: 10, publishTimeoutMs: 200 });
    proxy.pause();
    const late = await Promise.all(Array.from({ length: 10 }, () => rejection(broker.publish(makeJob()))));
    for (const error of late) expect(error).to.be.instanceOf(OutcomeUnknown);
    expect(await rejection(broker.publish(makeJob())))
      .to.be.instanceOf(Refused)
      .with.property('code', 'overloaded');
    proxy.cut();
    proxy.resume();
    await eventually(() => isStored(broker.publish(makeJob())));
    expect(broker.stats.unconfirmed).to.equal(0);
    await proxy.close();
  });

  it('times a publish out although the wall clock is set back meanwhile', async () => {
    const proxy = await startProxy(own.node.url);
    let setBackMs = 0;
    const clock = { ...systemClock, now: () => Date.now() - setBackMs };
    const broker = await own.bench.open({ urls: [proxy.url], publishTimeoutMs: 200, clock });
    proxy.pause();
    const publishing = rejection(broker.publish(makeJob()));
    setBackMs = 3_600_000;
    expect(await publishing).to.be.instanceOf(OutcomeUnknown);
    await proxy.close();
  });

  it('publishes again what a reset connection left unconfirmed, and loses none of it', async () => {
    const proxy = await startProxy(own.node.url);
    const broker = await own.bench.open({ urls: [proxy.url] });
    const jobs = Array.from({ length: 3_000 }, () => makeJob());
    const published = Promise.all(jobs.map((job) => broker.publish(job)));
    let confirmed = 0;
    await new Promise<void>((resolve) => {
      const watched = makeJob();
      void broker.publish(watched).then(() => resolve());
      setImmediate(() => {
        confirmed = jobs.length - broker.stats.unconfirmed;
        proxy.cut();
      });
    });
    await published;
    expect(confirmed).to.be.below(jobs.length);
    expect(broker.stats.reconnects).to.be.at.least(1);
    const inbox = createInbox((delivery) => void delivery.ack());
    await broker.consume(source, inbox.take);
    await inbox.until(() => inbox.ids.size === jobs.length + 1);
    await proxy.close();
  });

  it('refuses at once while the broker is short of memory, and goes on afterwards', async () => {
    const broker = await own.bench.open({ publishTimeoutMs: 300 });
    await own.node.setMemoryAlarm(true);
    // The broker says so only when a publish arrives: the first one is in doubt, the later ones are not even sent.
    let error: Error = await rejection(broker.publish(makeJob()));
    expect(error).to.be.instanceOf(OutcomeUnknown);
    while (!broker.stats.isBlocked) error = await rejection(broker.publish(makeJob()));
    error = await rejection(broker.publish(makeJob()));
    expect(error).to.be.instanceOf(Unavailable);
    expect(error.message).to.include('memory');
    expect(broker.health().ok).to.equal(false);
    await own.node.setMemoryAlarm(false);
    const job = makeJob();
    await eventually(() => isStored(broker.publish(job)));
    expect(broker.health().ok).to.equal(true);
  });

  it('settles deliveries by ack while the broker is short of memory, and retries once it is not', async () => {
    const broker = await own.bench.open({ publishTimeoutMs: 300 });
    await broker.publish(makeJob({ type: 'acked' }));
    await broker.publish(makeJob({ type: 'retried' }));
    await own.node.setMemoryAlarm(true);
    const inbox = createInbox();
    await broker.consume(source, inbox.take);
    const [acked, retried] = await inbox.first(2);
    await rejection(broker.publish(makeJob()));
    await acked?.ack();
    const retrying = retried?.retry({ ...retried.job, attempt: 2, dueAtMs: Date.now() });
    await own.node.setMemoryAlarm(false);
    await retrying;
    await inbox.until((all) => all.some((one) => one.job.type === 'retried' && one.job.attempt === 2));
    expect(inbox.deliveries.filter((one) => one.job.type === 'acked')).to.have.length(1);
  });
});
