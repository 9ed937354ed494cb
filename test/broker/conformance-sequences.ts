/**
 * Random sequences of all that can happen to jobs, against a model: nothing accepted is lost, nothing settled comes back,
 * every lane keeps its order, and neither crash nor return touches a job.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Broker, Delivery } from '../../src/broker/broker.js';
import type { Job, Lane } from '../../src/job/job.js';
import type { Bench, Capabilities } from './conformance-bench.js';
import { createBatchModel } from './conformance-sequences-events.js';
import { makeJob } from './inbox.js';

type Step =
  | { readonly kind: 'publish'; readonly lane: Lane; readonly delayMs: number; readonly size: number }
  | { readonly kind: 'settle'; readonly pick: number; readonly how: 'ack' | 'retry' | 'bury' | 'return' }
  | { readonly kind: 'tell'; readonly size: number }
  | { readonly kind: 'hear'; readonly pick: number; readonly how: 'ack' | 'return' }
  | { readonly kind: 'stop' }
  /** `open`: publishes and acks that are under way when the process ends. */
  | { readonly kind: 'crash'; readonly open: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      lane: fc.constantFrom<Lane>('normal', 'low'),
      delayMs: fc.constantFrom(0, 0, 0, 0, 30, 120),
      size: fc.constantFrom(2, 40, 5_000),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      pick: fc.nat(5),
      how: fc.constantFrom(
        'ack' as const,
        'ack' as const,
        'retry' as const,
        'bury' as const,
        'return' as const,
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('tell' as const), size: fc.constantFrom(0, 40, 5_000) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('hear' as const),
      pick: fc.nat(3),
      how: fc.constantFrom('ack' as const, 'ack' as const, 'return' as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'stop' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash' as const), open: fc.nat(4) }) },
);

const RUNS = 12;
const SUSPECT_AFTER = 3;
/** Between two looks for a suspect, while nothing else comes. */
const LOOK_MS = 5;
const death = { reason: 'permanent', failure: { name: 'Error', message: 'no' }, atMs: 1 } as const;

export function exerciseSequences(
  name: string,
  openBench: () => Promise<Bench>,
  capabilities: Capabilities,
): void {
  describe(`${name} under random sequences`, () => {
    it('loses nothing, brings nothing back, and keeps the order of every lane', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 40 }), async (steps) => {
          const bench = await openBench();
          try {
            await play(bench, steps, capabilities);
          } finally {
            await bench.close();
          }
        }),
        { numRuns: RUNS, endOnFailure: true },
      );
    }).timeout(120_000);
  });
}

async function play(
  bench: Bench,
  steps: readonly Step[],
  { keepsAcks, keepsPlaces }: Capabilities,
): Promise<void> {
  /** What must still come, as it must come. */
  const owed = new Map<string, Job>();
  /** What may come or not: its end, or its beginning, was under way at a crash. The newest form of it. */
  const unsure = new Map<string, Job>();
  /** Ended in this life: a crash makes these unsure, unless acks are kept. */
  let ended = new Map<string, Job>();
  /** The most losses that a delivery of it told of. */
  const losses = new Map<string, number>();
  /** A crash may have met it on its way to the suspects: then it is in both places, as promised. */
  const double = new Set<string>();
  const events = createBatchModel(keepsAcks);
  const order = new Map<string, number>();
  let published = 0;
  let dead = 0;
  let hand: Delivery[] = [];
  let seen: Delivery[] = [];
  const faults: string[] = [];
  let broker: Broker = await openAgain();
  let wake = (): void => {};

  async function openAgain(): Promise<Broker> {
    const next = await bench.open();
    hand = [];
    seen = [];
    for (const lane of ['normal', 'low'] as const)
      await next.consume({ queue: 'default', lane, prefetch: 4 }, receive);
    await next.events.consume(3, events.receive);
    return next;
  }

  function receive(delivery: Delivery): void {
    const { job } = delivery;
    const due = owed.get(job.id) ?? unsure.get(job.id);
    losses.set(job.id, Math.max(delivery.lostCount, losses.get(job.id) ?? 0));
    if (due === undefined && double.has(job.id)) void delivery.ack();
    else if (due === undefined) faults.push(`job ${job.id} came back after it had ended`);
    else if (!keepsAcks && job.attempt < due.attempt)
      void delivery.ack(); // The attempt before a retry whose ack was lost: a duplicate, as promised, also of an unsure one.
    else {
      try {
        expect(job).to.deep.equal(due);
      } catch (error) {
        faults.push(String(error));
      }
      if (job.dueAtMs > Date.now()) faults.push(`job ${job.id} came before it was due`);
      delivery.started();
      hand.push(delivery);
      seen.push(delivery);
    }
    wake();
  }

  async function publish(lane: Lane, delayMs: number, size: number): Promise<void> {
    const fresh = makeJob({ lane, body: Buffer.from(JSON.stringify('x'.repeat(size))) });
    const job = delayMs === 0 ? fresh : { ...fresh, dueAtMs: Date.now() + delayMs };
    if (delayMs === 0) order.set(job.id, published++);
    owed.set(job.id, job);
    await broker.publish(job);
  }

  async function settle(delivery: Delivery, how: Extract<Step, { kind: 'settle' }>['how']): Promise<void> {
    hand = hand.filter((one) => one !== delivery);
    const { job } = delivery;
    const isOwed = owed.has(job.id);
    switch (how) {
      case 'return':
        if (!keepsPlaces) order.delete(job.id);
        return delivery.return();
      case 'retry': {
        const next = { ...job, attempt: job.attempt + 1, dueAtMs: Math.max(job.dueAtMs, Date.now()) };
        order.delete(job.id);
        (isOwed ? owed : unsure).set(job.id, next);
        return delivery.retry(next);
      }
      case 'bury':
      case 'ack':
        owed.delete(job.id);
        unsure.delete(job.id);
        ended.set(job.id, job);
        if (how === 'ack') return delivery.ack();
        dead += 1;
        return delivery.deadLetter(death);
    }
  }

  /** Within one life the jobs of a lane come first in the order of their publishes; later they may come again. */
  function checkOrder(): void {
    for (const lane of ['normal', 'low']) {
      const firsts = new Set(
        seen.filter(({ job }) => job.lane === lane && job.attempt === 1).map(({ job }) => job.id),
      );
      const numbers = [...firsts].map((id) => order.get(id)).filter((number) => number !== undefined);
      expect(numbers).to.deep.equal(
        numbers.toSorted((a, b) => a - b),
        `the order of ${lane}`,
      );
    }
    expect([...faults, ...events.faults]).to.deep.equal([]);
  }

  /** Not in hand, and not ended before this crash: it may be on its way to the suspects. */
  function isMoving(id: string): boolean {
    return (owed.has(id) || unsure.has(id)) && !hand.some(({ job }) => job.id === id);
  }

  async function crash(open: number): Promise<void> {
    for (const delivery of hand.slice(0, open)) {
      const form = delivery.job;
      owed.delete(form.id);
      unsure.set(form.id, form);
      void delivery.ack().catch(() => {});
    }
    for (let i = 0; i < open; i++) {
      const job = makeJob();
      unsure.set(job.id, job);
      order.set(job.id, published++);
      void broker.publish(job).catch(() => {});
    }
    events.beginCrash(broker, open);
    checkOrder();
    if (!keepsAcks)
      for (const [id, lost] of losses) if (lost + 1 >= SUSPECT_AFTER && isMoving(id)) double.add(id);
    await bench.crash(broker);
    events.crashed();
    if (!keepsAcks) for (const [id, job] of ended) unsure.set(id, job);
    ended = new Map();
    broker = await openAgain();
  }

  for (const next of steps) {
    switch (next.kind) {
      case 'publish':
        await publish(next.lane, next.delayMs, next.size);
        break;
      case 'settle': {
        const delivery = hand[next.pick % Math.max(1, hand.length)];
        if (delivery !== undefined) await settle(delivery, next.how);
        break;
      }
      case 'tell':
        await events.publish(broker, next.size);
        break;
      case 'hear':
        await events.settle(next.pick, next.how);
        break;
      case 'stop':
        checkOrder();
        await bench.stop(broker);
        events.stopped();
        ended = new Map();
        broker = await openAgain();
        break;
      case 'crash':
        await crash(next.open);
        break;
    }
  }

  while (owed.size > 0 || hand.length > 0) {
    const delivery = hand[0];
    if (delivery !== undefined) {
      await settle(delivery, 'ack');
      continue;
    }
    const arrival = new Promise<void>((resolve) => {
      wake = resolve;
    });
    if (hand.length > 0) continue;
    const suspect = await broker.takeSuspect(['default']);
    if (suspect !== undefined) {
      receive(suspect);
      seen = seen.filter((one) => one !== suspect); // Suspects come out of their order.
    } else await Promise.race([arrival, new Promise((resolve) => setTimeout(resolve, LOOK_MS))]);
    checkOrder();
  }
  await events.drain();
  checkOrder();
  // What was unsure may still be there; nothing else may.
  const { lanes, suspects, deadLetters } = await broker.inspect();
  const left = [...lanes, ...suspects].reduce((sum, { ready }) => sum + ready, 0);
  expect(left).to.be.at.most(unsure.size);
  expect(deadLetters).to.equal(dead);
}
