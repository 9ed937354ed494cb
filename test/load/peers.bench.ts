/** `sluice serve` and `sluice work` on RabbitMQ beside other job queues: BullMQ on Redis, pg-boss on PostgreSQL, each behind the same Koa route. */
import { BATCH, laneOf, type RabbitPlan, sendBatches } from './bench-plan.js';
import { drainRate } from './bench-queue.js';
import { type Peer, startBenchPostgres, startBullmq, startPgBoss } from './peers.js';
import { end, type RunningRole, startRole } from './product.js';
import type { Comparison, Sample } from './report.js';
import { CONNECTIONS, submitFor } from './submit-load.js';
import { rotated } from './turns.js';

const CONCURRENCY = 100;
const WARM_UP_S = 2;

interface Rival {
  readonly peer: Peer;
  readonly goals: { readonly submit: number; readonly drain: number };
}

interface Side {
  readonly name: string;
  readonly measure: () => Promise<Sample>;
  readonly samples: Sample[];
}

export async function benchPeers(plan: RabbitPlan): Promise<Comparison[]> {
  const postgres = await startBenchPostgres();
  const rivals: Rival[] = [
    { peer: await startBullmq(), goals: { submit: 1.1, drain: 2.5 } },
    // For these two design.md names none. Synced before each answer, Redis keeps what we do.
    { peer: await startBullmq('always'), goals: { submit: 1, drain: 1 } },
    { peer: await startPgBoss(postgres), goals: { submit: 1, drain: 1 } },
  ];
  try {
    return [...(await compareSubmit(plan, rivals)), ...(await compareDrain(plan, rivals))];
  } finally {
    for (const { peer } of rivals) await peer.remove();
    await postgres.remove();
  }
}

async function compareSubmit(plan: RabbitPlan, rivals: readonly Rival[]): Promise<Comparison[]> {
  const { place, broker, seconds } = plan;
  const serve = await startRole('serve', place);
  const servers = await Promise.all(rivals.map(({ peer }) => peer.startServer()));
  const empty = [
    () => broker.purge(laneOf(place)),
    ...rivals.map(
      ({ peer }) =>
        () =>
          peer.empty(),
    ),
  ];
  const all = [serve, ...servers];
  const names = ['sluice serve', ...rivals.map(({ peer }) => peer.name)];
  const load = async (at: number, forSeconds: number): Promise<Sample> => {
    const { url, process } = all[at] as RunningRole;
    const sample = await submitFor({
      name: names[at] ?? '',
      url,
      seconds: forSeconds,
      programs: [process.pid],
    });
    await empty[at]?.();
    return sample;
  };
  try {
    for (let at = 0; at < all.length; at++) await load(at, WARM_UP_S);
    const sides = names.map((name, at): Side => ({ name, measure: () => load(at, seconds), samples: [] }));
    await inTurns(plan, 'peers, submit', sides);
    return compared(`POST /v1/jobs, ${CONNECTIONS} connections`, 'requests', sides, rivals, 'submit');
  } finally {
    await Promise.all(all.map(({ process }) => end(process)));
  }
}

async function compareDrain(plan: RabbitPlan, rivals: readonly Rival[]): Promise<Comparison[]> {
  const batches = Math.ceil(plan.jobs / BATCH);
  const ours: Side = { name: 'sluice work', measure: () => drainOurs(plan, batches), samples: [] };
  const theirs = rivals.map(
    ({ peer }): Side => ({ name: peer.name, measure: () => drainTheirs(peer, batches), samples: [] }),
  );
  const sides = [ours, ...theirs];
  await inTurns(plan, 'peers, drain', sides);
  return compared(`drain, no-op handler, concurrency ${CONCURRENCY}`, 'jobs', sides, rivals, 'drain');
}

async function drainOurs({ place, broker }: RabbitPlan, batches: number): Promise<Sample> {
  const serve = await startRole('serve', place);
  await sendBatches(serve.url, batches, 2);
  await end(serve.process);
  const rate = drainRate(() => broker.depth(laneOf(place)), batches * BATCH);
  const work = await startRole('work', place, { WORKER_CONCURRENCY: String(CONCURRENCY) });
  const sample = await rate;
  await end(work.process);
  await broker.purge(`${place.prefix}.recorder`);
  return sample;
}

async function drainTheirs(peer: Peer, batches: number): Promise<Sample> {
  await peer.fill(batches);
  const worker = await peer.startWorker(CONCURRENCY);
  const sample = await drainRate(() => peer.depth(), batches * BATCH, peer.pollMs);
  await end(worker);
  await peer.empty();
  return sample;
}

async function inTurns(plan: RabbitPlan, what: string, sides: readonly Side[]): Promise<void> {
  for (let round = 0; round < plan.rounds; round++) {
    for (const { measure, samples } of rotated(sides, round)) samples.push(await measure());
    const told = sides.map(({ name, samples }) => `${name} ${Math.round(samples[round]?.perSecond ?? 0)}/s`);
    plan.progress(`${what}, round ${round + 1}: ${told.join(', ')}`);
  }
}

function compared(
  what: string,
  unit: string,
  [ours, ...theirs]: readonly Side[],
  rivals: readonly Rival[],
  which: 'submit' | 'drain',
): Comparison[] {
  return theirs.map(({ name, samples }, at) => ({
    what,
    unit,
    reference: which === 'submit' ? `Koa + ${name}` : name,
    goal: rivals[at]?.goals[which] ?? 1,
    ours: ours?.samples ?? [],
    theirs: samples,
  }));
}
