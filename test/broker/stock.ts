/** What every engine promises of its stock, as one suite: all of it comes out, unchanged, and what comes in is at work. */
import { expect } from 'chai';
import type { Broker } from '../../src/broker/broker.js';
import type { Parcel, StockSource, StockTarget } from '../../src/broker/stock.js';
import { Invalid, SluiceError } from '../../src/job/errors.js';
import { type Job, lanes } from '../../src/job/job.js';
import { createInbox, makeJob, rejectionOf } from './inbox.js';

/** One store with the queues `default` and `other`, empty. */
export interface StockBench {
  /** A started broker on it. */
  open(): Promise<Broker>;
  stop(broker: Broker): Promise<void>;
  /** Not started. */
  source(): StockSource;
  target(): StockTarget;
  close(): Promise<void>;
}

export const never: AbortSignal = new AbortController().signal;
const hourMs = 3_600_000;

export const death = {
  reason: 'exhausted',
  failure: { name: 'TypeError', message: 'no\nway', code: 'E1', stack: 'at a' },
  atMs: 1_234_567_890_123,
  startedAtMs: 1_234_567_890_023,
} as const;

/** A job whose every field differs from its default. */
export function richJob(fields: Partial<Job> = {}): Job {
  return makeJob({
    type: 'a.type',
    body: Buffer.from('{"text":"ä€😀", "n": 1.0}'),
    run: 3,
    attempt: 2,
    maxAttempts: 7,
    timeoutMs: 1234,
    expiresAtMs: Date.now() + 24 * hourMs,
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    tracestate: 'vendor=1',
    ...fields,
  });
}

/** Parcels of every kind, in all lanes and both queues. */
export function everyKind(): Parcel[] {
  const waiting = ['default', 'other'].flatMap((queue) =>
    lanes.flatMap((lane) => [richJob({ queue, lane }), makeJob({ queue, lane, body: Buffer.alloc(0) })]),
  );
  const delayed = [50, 2].map((hours) =>
    richJob({ queue: 'other', lane: 'low', dueAtMs: Date.now() + hours * hourMs + 7 }),
  );
  const suspects = [richJob({ lane: 'high' }), makeJob({ queue: 'other' })];
  const letters = [
    { messageId: makeJob().id, type: 'a.type', headers: { 'sluice-run': 2 }, body: Buffer.from('{"a":1}') },
    {
      messageId: 'none',
      type: 'no type',
      headers: { x: { deep: [1, 'a'] } },
      body: Buffer.from([0, 255, 1]),
    },
  ];
  return [
    ...waiting.map((job) => ({ kind: 'waiting', job }) as const),
    ...suspects.map((job) => ({ kind: 'suspect', job }) as const),
    ...delayed.map((job) => ({ kind: 'delayed', job }) as const),
    ...letters.map((letter) => ({
      kind: 'dead' as const,
      letter: { ...letter, queue: 'gone', lane: 'low', death },
    })),
  ];
}

export function byIdentity(parcels: readonly Parcel[]): Parcel[] {
  const nameOf = (parcel: Parcel): string =>
    parcel.kind === 'dead' ? String(parcel.letter.messageId) : parcel.job.id;
  return parcels.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

export async function drained(source: StockSource): Promise<Parcel[]> {
  const parcels: Parcel[] = [];
  await source.drain(async (parcel) => void parcels.push(parcel), never);
  return parcels;
}

export async function fill(target: StockTarget, parcels: readonly Parcel[]): Promise<void> {
  await target.start();
  await Promise.all(parcels.map((parcel) => target.put(parcel)));
  await target.stop();
}

const noneLeft = { waiting: 0, delayed: 0, suspect: 0, dead: 0 };

export function exerciseStock(name: string, openBench: () => Promise<StockBench>): void {
  describe(`the stock of ${name}`, () => {
    let bench: StockBench;
    let source: StockSource;
    beforeEach(async () => {
      bench = await openBench();
      source = bench.source();
    });
    afterEach(async () => {
      await source.stop();
      await bench.close();
    });

    it('gives out all that was put in, of every kind, byte for byte, and is empty then', async () => {
      const parcels = everyKind();
      await fill(bench.target(), parcels);
      await source.start();
      expect(await source.count()).to.deep.include({
        counts: { waiting: 12, delayed: 2, suspect: 2, dead: 2 },
        queues: ['default', 'other'],
      });
      const out = await drained(source);
      expect(byIdentity(out)).to.deep.equal(byIdentity(parcels));
      expect(await source.count()).to.deep.equal({ counts: noneLeft, queues: [], consumers: 0 });
      expect(await drained(source)).to.deep.equal([]);
    });

    it('gives out what the engine itself was given: waiting, delayed, retried and dead', async () => {
      const broker = await bench.open();
      const [waiting, retried, buried] = [richJob(), richJob(), richJob()];
      const delayed = richJob({ dueAtMs: Date.now() + hourMs });
      for (const job of [retried, buried, waiting, delayed]) await broker.publish(job);
      const inbox = createInbox();
      const source2 = { queue: 'default', lane: 'normal', prefetch: 3 } as const;
      const consumer = await broker.consume(source2, inbox.take);
      const [first, second, third] = await inbox.first(3);
      await consumer.cancel();
      const next = { ...retried, attempt: 3, dueAtMs: Date.now() + 2 * hourMs };
      await first?.retry(next);
      await second?.deadLetter(death);
      await third?.return();
      await bench.stop(broker);
      await source.start();
      const out = await drained(source);
      const jobs = out.flatMap((parcel) => (parcel.kind === 'dead' ? [] : [parcel]));
      expect(byIdentity(jobs)).to.deep.equal(
        byIdentity([
          { kind: 'waiting', job: waiting },
          { kind: 'delayed', job: delayed },
          { kind: 'delayed', job: next },
        ]),
      );
      const letters = out.flatMap((parcel) => (parcel.kind === 'dead' ? [parcel.letter] : []));
      expect(letters).to.have.length(1);
      expect(letters[0]).to.deep.include({ messageId: buried.id, type: 'a.type', body: buried.body, death });
      expect(letters[0]?.headers).to.include({
        'sluice-run': 3,
        'sluice-attempt': 2,
        tracestate: 'vendor=1',
      });
    });

    it('has what was put in at work: in its lane, when it is due, among the suspects, among the dead', async () => {
      const soon = richJob({ dueAtMs: Date.now() + 300 });
      const [plain, suspect] = [richJob(), richJob({ lane: 'low' })];
      const { letter } = everyKind().at(-1) as Extract<Parcel, { kind: 'dead' }>;
      await fill(bench.target(), [
        { kind: 'waiting', job: plain },
        { kind: 'delayed', job: soon },
        { kind: 'suspect', job: suspect },
        { kind: 'dead', letter },
      ]);
      const broker = await bench.open();
      expect((await broker.inspect()).deadLetters).to.equal(1);
      const inbox = createInbox((delivery) => void delivery.ack());
      await broker.consume({ queue: 'default', lane: 'normal', prefetch: 10 }, inbox.take);
      const taken = await broker.takeSuspect(['default']);
      expect(taken?.job).to.deep.equal(suspect);
      await taken?.ack();
      const got = await inbox.first(2);
      expect(got.map(({ job }) => job)).to.deep.equal([plain, soon]);
      expect(Date.now()).to.be.at.least(soon.dueAtMs);
    });

    it('keeps the order of every lane, and holds a bounded number in hand', async () => {
      const jobs = Array.from({ length: 1_000 }, (_, i) => makeJob({ lane: i % 2 === 0 ? 'high' : 'low' }));
      await fill(
        bench.target(),
        jobs.map((job) => ({ kind: 'waiting', job })),
      );
      await source.start();
      const out: Job[] = [];
      let [inHand, most] = [0, 0];
      await source.drain(async (parcel) => {
        inHand += 1;
        most = Math.max(most, inHand);
        if (parcel.kind === 'waiting') out.push(parcel.job);
        await new Promise((resolve) => setImmediate(resolve));
        inHand -= 1;
      }, never);
      for (const lane of ['high', 'low']) {
        const ids = (all: readonly Job[]) => all.filter((job) => job.lane === lane).map(({ id }) => id);
        expect(ids(out)).to.deep.equal(ids(jobs));
      }
      expect(most).to.be.within(2, 256);
    });

    it('keeps what could not be put elsewhere, says why, and gives it out the next time', async () => {
      const jobs = Array.from({ length: 20 }, () => makeJob());
      await fill(
        bench.target(),
        jobs.map((job) => ({ kind: 'waiting', job })),
      );
      await source.start();
      const put: string[] = [];
      const failure = await rejectionOf(
        source.drain(async (parcel) => {
          if (parcel.kind === 'dead') return;
          if (parcel.job.id === jobs[7]?.id) throw new Error('no room');
          put.push(parcel.job.id);
        }, never),
      );
      expect(failure).to.be.instanceOf(Error).with.property('message', 'no room');
      const rest = (await drained(source)).flatMap((parcel) =>
        parcel.kind === 'dead' ? [] : [parcel.job.id],
      );
      expect(rest).to.include(jobs[7]?.id);
      expect(new Set([...put, ...rest])).to.deep.equal(new Set(jobs.map(({ id }) => id)));
      expect(put.length + rest.length).to.equal(jobs.length);
    });

    it('ends when it is told to, with nothing under way, and the rest stays', async () => {
      const jobs = Array.from({ length: 600 }, () => makeJob());
      await fill(
        bench.target(),
        jobs.map((job) => ({ kind: 'waiting', job })),
      );
      await source.start();
      const stopping = new AbortController();
      const put = new Set<string>();
      await source.drain(async (parcel) => {
        await new Promise((resolve) => setImmediate(resolve));
        if (parcel.kind !== 'dead') put.add(parcel.job.id);
        if (put.size === 10) stopping.abort();
      }, stopping.signal);
      const seen = put.size;
      expect(seen).to.be.within(10, 512);
      expect((await source.count()).counts.waiting).to.equal(600 - seen);
      const rest = (await drained(source)).flatMap((parcel) =>
        parcel.kind === 'dead' ? [] : [parcel.job.id],
      );
      expect(put.size).to.equal(seen);
      expect(new Set([...put, ...rest])).to.deep.equal(new Set(jobs.map(({ id }) => id)));
      expect(rest).to.have.length(600 - seen);
    });

    it('takes no job for a queue it does not have, and no second move out of it', async () => {
      const target = bench.target();
      await target.start();
      const strange = target.put({ kind: 'waiting', job: makeJob({ queue: 'nowhere' }) });
      expect(await rejectionOf(strange)).to.be.instanceOf(Invalid);
      await target.stop();
      await source.start();
      const second = bench.source();
      expect(await rejectionOf(second.start())).to.be.instanceOf(SluiceError);
      await second.stop();
    });
  });
}
