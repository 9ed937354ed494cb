/**
 * The broker topology as data: names, arguments, bindings, and where a job is published. Arguments hold what safety needs,
 * since AMQP cannot set policies and a bare broker must be safe; tunables belong into policies.
 */
import type { Job, Lane } from '../../job/job.js';
import { lanes } from '../../job/job.js';

export type Step =
  | {
      readonly kind: 'exchange';
      readonly name: string;
      readonly type: 'direct' | 'topic' | 'fanout';
      readonly alternate?: string;
    }
  | {
      readonly kind: 'queue';
      readonly name: string;
      readonly arguments: Readonly<Record<string, string | number>>;
    }
  | { readonly kind: 'bindQueue'; readonly queue: string; readonly exchange: string; readonly key: string }
  | { readonly kind: 'bindExchange'; readonly to: string; readonly from: string; readonly key: string };

/** Where a message goes. */
export interface Route {
  readonly exchange: string;
  readonly key: string;
}

/** The unit of delay in ms: delays are rounded up to it. */
export const DELAY_UNIT_MS = 100;
/** Level n holds a job for 2^n units; all levels together for 2^28 - 1 units, 310 days. */
export const DELAY_LEVELS = 28;
export const LONGEST_DELAY_MS = (2 ** DELAY_LEVELS - 1) * DELAY_UNIT_MS;

/** A backstop only: a crash costs every prefetched neighbour one, so a low limit kills the innocent. */
const LANE_DELIVERY_LIMIT = 1_000;
/** Lost this often in its lane, a job is moved to the suspects. */
export const SUSPECT_AFTER = 3;
/** Suspects run one at a time, so here losses are charged to the job itself: lost this often, it goes to the dead letters. */
export const DEAD_AFTER = 5;
/** A backstop: the broker allows so many redeliveries, so by itself it would dead-letter at one loss more. */
const SUSPECT_DELIVERY_LIMIT = DEAD_AFTER;
/** Dead letters and events have nowhere to go: a limit that is reached would destroy them, and the default differs by version. */
const NO_DELIVERY_LIMIT = 1_000_000_000;

export interface Topology {
  readonly names: Names;
  readonly queues: readonly string[];
  readonly steps: readonly Step[];
}

export interface Names {
  readonly jobs: string;
  readonly due: string;
  readonly suspects: string;
  readonly dead: string;
  /** The exchange of event batches, and the queue in which they wait. */
  readonly events: string;
  readonly recorder: string;
  readonly control: string;
  delayLevel(level: number): string;
  lane(queue: string, lane: Lane): string;
  /** Into the lane without an exchange of ours. Always the same object. */
  toLane(queue: string, lane: Lane): Route;
  suspectsOf(queue: string): string;
  toSuspects(queue: string, lane: Lane): Route;
}

function namesOf(prefix: string): Names {
  const lane: Names['lane'] = (queue, name) => `${prefix}.jobs.${queue}.${name}`;
  return {
    jobs: `${prefix}.jobs`,
    due: `${prefix}.due`,
    suspects: `${prefix}.suspects`,
    dead: `${prefix}.dead`,
    events: `${prefix}.events`,
    recorder: `${prefix}.recorder`,
    control: `${prefix}.control`,
    delayLevel: (level) => `${prefix}.delay.${String(level).padStart(2, '0')}`,
    lane,
    toLane: createLaneRoutes(lane),
    suspectsOf: (queue) => `${prefix}.suspects.${queue}`,
    toSuspects: (queue, name) => ({ exchange: `${prefix}.suspects`, key: `${queue}.${name}` }),
  };
}

/**
 * Through the default exchange, which knows every queue by its name: RabbitMQ 3.10 takes a quarter less time for a publish than through
 * one that has to be looked up in its tables (src/DECISIONS.md).
 */
function createLaneRoutes(nameOf: Names['lane']): Names['toLane'] {
  const known = new Map<string, Readonly<Record<Lane, Route>>>();
  const routesOf = (queue: string): Readonly<Record<Lane, Route>> => {
    const to = (lane: Lane): Route => ({ exchange: '', key: nameOf(queue, lane) });
    const routes = { high: to('high'), normal: to('normal'), low: to('low') };
    known.set(queue, routes);
    return routes;
  };
  return (queue, lane) => (known.get(queue) ?? routesOf(queue))[lane];
}

/** Dead-lettering that confirms before it removes. Without `reject-publish` the broker silently falls back to at-most-once. */
function safely(deadLetterExchange: string): Record<string, string> {
  return {
    'x-dead-letter-exchange': deadLetterExchange,
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
  };
}

function quorumQueue(name: string, deliveryLimit: number, rest: Record<string, string | number> = {}): Step {
  return {
    kind: 'queue',
    name,
    arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': deliveryLimit, ...rest },
  };
}

/** One word for each bit of the delay, highest first, then `<queue>.<lane>`. Never `#`: it would match foreign queues too. */
const anyDelay = Array.from({ length: DELAY_LEVELS }, () => '*').join('.');

function delayBinding(level: number, bit: 0 | 1): string {
  const words = Array.from({ length: DELAY_LEVELS }, () => '*');
  words[DELAY_LEVELS - 1 - level] = String(bit);
  return `${words.join('.')}.*.*`;
}

/** Every declaration, in the order in which each finds what it refers to. */
export function describeTopology(prefix: string, queues: readonly string[]): Topology {
  const names = namesOf(prefix);
  const steps: Step[] = [
    { kind: 'exchange', name: names.dead, type: 'fanout' },
    quorumQueue(names.dead, NO_DELIVERY_LIMIT),
    { kind: 'bindQueue', queue: names.dead, exchange: names.dead, key: '' },
    { kind: 'exchange', name: names.events, type: 'fanout' },
    quorumQueue(names.recorder, NO_DELIVERY_LIMIT),
    { kind: 'bindQueue', queue: names.recorder, exchange: names.events, key: '' },
    // Each process binds a queue of its own connection.
    { kind: 'exchange', name: names.control, type: 'fanout' },
    // For whoever publishes jobs without Sluice.
    { kind: 'exchange', name: names.jobs, type: 'direct' },
    { kind: 'exchange', name: names.suspects, type: 'topic' },
    // A job that is due for a queue that is gone must not wedge the delay level it waits in.
    { kind: 'exchange', name: names.due, type: 'topic', alternate: names.dead },
  ];
  for (const queue of queues) {
    for (const lane of lanes) {
      const name = names.lane(queue, lane);
      steps.push(
        quorumQueue(name, LANE_DELIVERY_LIMIT, safely(names.dead)),
        { kind: 'bindQueue', queue: name, exchange: names.jobs, key: `${queue}.${lane}` },
        { kind: 'bindQueue', queue: name, exchange: names.due, key: `${anyDelay}.${queue}.${lane}` },
      );
    }
    const suspects = names.suspectsOf(queue);
    steps.push(quorumQueue(suspects, SUSPECT_DELIVERY_LIMIT, safely(names.dead)), {
      kind: 'bindQueue',
      queue: suspects,
      exchange: names.suspects,
      key: `${queue}.*`,
    });
  }
  for (let level = 0; level < DELAY_LEVELS; level++) {
    const name = names.delayLevel(level);
    const next = level === 0 ? names.due : names.delayLevel(level - 1);
    steps.push(
      { kind: 'exchange', name, type: 'topic' },
      quorumQueue(name, LANE_DELIVERY_LIMIT, {
        'x-message-ttl': 2 ** level * DELAY_UNIT_MS,
        ...safely(next),
      }),
      { kind: 'bindQueue', queue: name, exchange: name, key: delayBinding(level, 1) },
      { kind: 'bindExchange', to: next, from: name, key: delayBinding(level, 0) },
    );
  }
  return { names, queues, steps };
}

/** Straight into the lane, or into the delay level of the highest set bit, which saves the hops above it. */
export function routeOf(names: Names, job: Pick<Job, 'queue' | 'lane'>, delayMs: number): Route {
  const units = Math.ceil(delayMs / DELAY_UNIT_MS);
  if (units <= 0) return names.toLane(job.queue, job.lane);
  const bits = units.toString(2).padStart(DELAY_LEVELS, '0');
  const level = DELAY_LEVELS - 1 - bits.indexOf('1');
  return { exchange: names.delayLevel(level), key: `${[...bits].join('.')}.${job.queue}.${job.lane}` };
}

/** The `<queue>.<lane>` at the end of a routing key, whatever delay or prefix stands before it. */
export function addressOf(key: string): { readonly queue: string; readonly lane: string } {
  const words = key.split('.');
  return { queue: words.at(-2) ?? '', lane: words.at(-1) ?? '' };
}
