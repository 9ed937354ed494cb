/**
 * Runs the jobs that are suspected of killing their process: one at a time, and alone once they were lost often enough,
 * so that a crash is charged to the culprit and never to its neighbours.
 */
import type { Broker, Delivery } from '../broker/broker.js';
import { type Clock, sleep } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import { waitAtMost } from './deadline.js';
import type { Executor } from './execute.js';
import type { Gate } from './gate.js';

/** Lost so often, a suspect runs alone. */
const LOST_COUNT_TO_RUN_ALONE = 2;
const PAUSE_MS = 1000;
/**
 * How long others wait for the outcome of a suspect that ran alone. Not longer: it may wait for an alarm of the broker to
 * end, and the alarm for the others to drain their lanes.
 */
const OUTCOME_PATIENCE_MS = 5000;

export interface SuspectsOptions {
  readonly broker: Pick<Broker, 'takeSuspect'>;
  /** Those to work on at the moment. */
  readonly queues: () => readonly string[];
  readonly executor: Executor;
  /** Closed while a suspect runs alone; jobs of the lanes start only when it is open. */
  readonly gate: Gate;
  readonly clock: Clock;
  readonly log: Log;
  readonly stopping: AbortSignal;
}

export interface Suspects {
  /** Takes one, or undefined when there is none or the broker cannot say. */
  take(): Promise<Delivery | undefined>;
  runsAlone(delivery: Delivery): boolean;
  /** Runs one; resolves when others may start, with its outcome stored or soon after. Never rejects. */
  run(delivery: Delivery): Promise<void>;
  /** Takes and runs about one a second, each once the one before is settled, until stopped. Never rejects. */
  keepRunning(): Promise<void>;
}

export function createSuspects(options: SuspectsOptions): Suspects {
  const { broker, queues, executor, gate, clock, log, stopping } = options;
  const stopped = new Promise<void>((resolve) => {
    stopping.addEventListener('abort', () => resolve(), { once: true });
  });
  let lastSettled: Promise<void> = Promise.resolve();

  async function take(): Promise<Delivery | undefined> {
    const wanted = queues();
    if (wanted.length === 0) return undefined;
    try {
      return await broker.takeSuspect(wanted);
    } catch (error) {
      log.debug({ err: error }, 'no suspected job could be taken; it is tried again');
      return undefined;
    }
  }

  const runsAlone = (delivery: Delivery): boolean => delivery.lostCount >= LOST_COUNT_TO_RUN_ALONE;

  async function run(delivery: Delivery): Promise<void> {
    const { held, isNew } = executor.receive(delivery);
    lastSettled = held.settled;
    if (isNew && runsAlone(delivery)) {
      log.warn(
        { job: delivery.job.id, type: delivery.job.type, lostCount: delivery.lostCount },
        'a job that was running when processes ended runs alone; other jobs wait for it',
      );
      gate.close();
      await Promise.race([executor.idle(), stopped]);
    }
    if (isNew && stopping.aborted) executor.giveBack(held);
    else if (isNew) await executor.run(held);
    await waitAtMost(clock, OUTCOME_PATIENCE_MS, held.settled);
    gate.open();
  }

  return {
    take,
    runsAlone,
    run,
    async keepRunning() {
      while (!stopping.aborted) {
        await lastSettled;
        await sleep(clock, PAUSE_MS, stopping);
        const suspect = stopping.aborted ? undefined : await take();
        if (suspect !== undefined) await run(suspect);
      }
    },
  };
}
