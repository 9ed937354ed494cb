import { expect } from 'chai';
import fc from 'fast-check';
import {
  addressOf,
  DELAY_LEVELS,
  DELAY_UNIT_MS,
  describeTopology,
  LONGEST_DELAY_MS,
  type Route,
  routeOf,
} from '../../../src/broker/rabbitmq/topology.js';
import { lanes } from '../../../src/job/job.js';

const topology = describeTopology('sluice', ['default', 'mail', 'eu']);

/** Topic match of AMQP 0-9-1 (section 3.1.3.3) without `#`, which the topology does not use. */
function matches(pattern: string, key: string): boolean {
  const [words, of] = [key.split('.'), pattern.split('.')];
  return words.length === of.length && of.every((word, i) => word === '*' || word === words[i]);
}

/** Follows a message through the declared exchanges and queues: where it ends, and how long it was held back. */
function follow(route: Route): { queues: string[]; heldMs: number } {
  let { exchange } = route;
  let heldMs = 0;
  if (exchange === '') {
    // The default exchange has every queue bound to it by its name (AMQP 0-9-1, section 3.1.3.1).
    const declared = topology.steps.filter((step) => step.kind === 'queue' && step.name === route.key);
    return { queues: declared.map(() => route.key), heldMs };
  }
  for (let hop = 0; hop <= 2 * DELAY_LEVELS; hop++) {
    const type = topology.steps.find((step) => step.kind === 'exchange' && step.name === exchange);
    const isTopic = type?.kind === 'exchange' && type.type === 'topic';
    const fits = (key: string): boolean => (isTopic ? matches(key, route.key) : key === route.key);
    const queues = topology.steps.flatMap((step) =>
      step.kind === 'bindQueue' && step.exchange === exchange && fits(step.key) ? [step.queue] : [],
    );
    const exchanges = topology.steps.flatMap((step) =>
      step.kind === 'bindExchange' && step.from === exchange && fits(step.key) ? [step.to] : [],
    );
    const declared = topology.steps.find((step) => step.kind === 'queue' && step.name === queues[0]);
    const ttl = declared?.kind === 'queue' ? declared.arguments['x-message-ttl'] : undefined;
    if (ttl === undefined && exchanges.length === 0) return { queues, heldMs };
    expect(queues.length + exchanges.length, `ways out of ${exchange}`).to.equal(1);
    heldMs += Number(ttl ?? 0);
    exchange =
      exchanges[0] ?? String(declared?.kind === 'queue' && declared.arguments['x-dead-letter-exchange']);
  }
  throw new Error('the message runs in a circle');
}

describe('topology', () => {
  it('holds any job back for its delay, rounded up to the unit, and brings it to its own lane alone', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.integer({ min: 0, max: LONGEST_DELAY_MS }), fc.integer({ min: 0, max: 5_000 })),
        fc.constantFrom(...topology.queues),
        fc.constantFrom(...lanes),
        (delayMs, queue, lane) => {
          const { queues, heldMs } = follow(routeOf(topology.names, { queue, lane }, delayMs));
          expect(queues).to.deep.equal([`sluice.jobs.${queue}.${lane}`]);
          expect(heldMs).to.equal(Math.ceil(delayMs / DELAY_UNIT_MS) * DELAY_UNIT_MS);
        },
      ),
    );
  });

  it('enters at the level of the highest set bit', () => {
    const job = { queue: 'default', lane: 'normal' } as const;
    expect(routeOf(topology.names, job, 100).exchange).to.equal('sluice.delay.00');
    expect(routeOf(topology.names, job, 101).exchange).to.equal('sluice.delay.01');
    expect(routeOf(topology.names, job, 1_600).exchange).to.equal('sluice.delay.04');
    expect(routeOf(topology.names, job, LONGEST_DELAY_MS).exchange).to.equal('sluice.delay.27');
  });

  it('publishes a job that is due, or overdue, straight into its lane', () => {
    const job = { queue: 'mail', lane: 'high' } as const;
    for (const delayMs of [0, -5_000]) {
      const route = routeOf(topology.names, job, delayMs);
      expect(route).to.deep.equal({ exchange: '', key: 'sluice.jobs.mail.high' });
      expect(routeOf(topology.names, job, delayMs)).to.equal(route);
    }
  });

  it('gives every queue a type, a delivery limit, and a safe way out', () => {
    for (const step of topology.steps) {
      if (step.kind !== 'queue') continue;
      expect(step.arguments['x-queue-type'], step.name).to.equal('quorum');
      expect(step.arguments['x-delivery-limit'], step.name).to.be.a('number').above(0);
      if (step.name === 'sluice.dead' || step.name === 'sluice.recorder') {
        // The end of the line: a limit that is reached would destroy what it holds.
        expect(step.arguments['x-delivery-limit'], step.name).to.be.at.least(1e9);
        continue;
      }
      expect(step.arguments['x-dead-letter-strategy'], step.name).to.equal('at-least-once');
      expect(step.arguments['x-overflow'], step.name).to.equal('reject-publish');
      expect(step.arguments['x-dead-letter-exchange'], step.name).to.be.a('string');
    }
  });

  it('declares nothing before what it refers to', () => {
    const seen = new Set<string>();
    for (const step of topology.steps) {
      if (step.kind === 'exchange' || step.kind === 'queue') seen.add(step.name);
      const needs =
        step.kind === 'bindQueue'
          ? [step.queue, step.exchange]
          : step.kind === 'bindExchange'
            ? [step.to, step.from]
            : step.kind === 'exchange' && step.alternate
              ? [step.alternate]
              : [];
      for (const name of needs) expect(seen, name).to.include(name);
    }
  });

  it('binds no key that could match a queue of another name', () => {
    for (const step of topology.steps) {
      if (step.kind === 'bindQueue' || step.kind === 'bindExchange') expect(step.key).not.to.include('#');
    }
  });

  it('reads the address at the end of a routing key', () => {
    const { key } = routeOf(topology.names, { queue: 'mail', lane: 'low' }, 12_345);
    expect(addressOf(key)).to.deep.equal({ queue: 'mail', lane: 'low' });
    for (const whole of ['mail.low', 'sluice.jobs.mail.low'])
      expect(addressOf(whole)).to.deep.equal({ queue: 'mail', lane: 'low' });
  });
});
