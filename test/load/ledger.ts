/** The bookkeeping of the burst and of the kills: what was accepted against what arrived, and why something arrived twice. Pure. */

export interface Answered {
  /** When the request was sent and when its answer came, in ms since the epoch. */
  readonly sentAtMs: number;
  readonly answeredAtMs: number;
}

export interface Arrival {
  readonly atMs: number;
  /** The `job-attempt` header. */
  readonly attempt: number;
}

export interface Facts {
  readonly accepted: ReadonlyMap<string, Answered>;
  /** Ids whose answer was "outcome unknown". */
  readonly unknown: ReadonlySet<string>;
  readonly arrivals: ReadonlyMap<string, readonly Arrival[]>;
  readonly workerOutages: readonly Outage[];
  readonly brokerOutages: readonly Outage[];
}

/** From the kill to the moment when the next one was ready, in ms since the epoch. */
export interface Outage {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Why a job arrived again, the most specific first. */
export const reasons = {
  retried: 'its call failed, a retry by design',
  worker: 'running when the worker was killed',
  broker: 'delivered, its ack lost with the broker',
  confirm: 'its confirm lost with the broker, so published again',
  unexplained: 'unexplained',
} as const;
export type Reason = keyof typeof reasons;

export interface Ledger {
  readonly accepted: number;
  /** Accepted jobs that arrived at least once. */
  readonly delivered: number;
  /** Every request that the sink got. */
  readonly arrivals: number;
  /** Arrivals beyond the first of each job. */
  readonly duplicates: Readonly<Record<Reason, number>>;
  readonly unexplained: readonly string[];
  /** Jobs that arrived although their submitter was told that the outcome is unknown. */
  readonly unknownDelivered: number;
  /** Arrivals of ids that neither an answer named nor an unknown outcome: a lost connection to `serve` hides the id. */
  readonly unnamed: number;
  readonly lost: readonly string[];
}

export function createLedger(facts: Facts): Ledger {
  const { accepted, unknown, arrivals } = facts;
  const duplicates: Record<Reason, number> = { retried: 0, worker: 0, broker: 0, confirm: 0, unexplained: 0 };
  const unexplained: string[] = [];
  let total = 0;
  let unnamed = 0;
  for (const [id, times] of arrivals) {
    total += times.length;
    if (!accepted.has(id) && !unknown.has(id)) unnamed += 1;
    const sorted = [...times].sort((a, b) => a.atMs - b.atMs);
    for (const [index, arrival] of sorted.entries()) {
      const before = sorted[index - 1];
      if (before === undefined) continue;
      const reason = reasonOf(before, arrival, accepted.get(id), facts);
      duplicates[reason] += 1;
      if (reason === 'unexplained') unexplained.push(id);
    }
  }
  const lost = [...accepted.keys()].filter((id) => !arrivals.has(id));
  return {
    accepted: accepted.size,
    delivered: accepted.size - lost.length,
    arrivals: total,
    duplicates,
    unexplained,
    unknownDelivered: [...unknown].filter((id) => arrivals.has(id)).length,
    unnamed,
    lost,
  };
}

function reasonOf(before: Arrival, arrival: Arrival, answered: Answered | undefined, facts: Facts): Reason {
  const { workerOutages, brokerOutages } = facts;
  // What was running at the kill may reach the sink a little later.
  const spans = ({ fromMs, toMs }: Outage): boolean => before.atMs <= toMs && arrival.atMs >= fromMs;
  if (arrival.attempt > before.attempt) return 'retried';
  if (workerOutages.some(spans)) return 'worker';
  if (brokerOutages.some(spans)) return 'broker';
  // Stored before the kill, confirmed only after it: both copies may arrive after the kill. An unknown outcome likewise.
  const wasUnconfirmed = brokerOutages.some(
    ({ fromMs, toMs }) =>
      answered === undefined || (answered.sentAtMs <= toMs && answered.answeredAtMs >= fromMs),
  );
  return wasUnconfirmed ? 'confirm' : 'unexplained';
}
