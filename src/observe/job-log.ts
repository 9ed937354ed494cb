/**
 * The life of each job as log lines of the level `debug`: accepted, delivered, started, settled, returned, recorded. At `info` a
 * job that goes well leaves no line, which would cost more than the job; what fails is told by the worker at any level.
 */
import type { Broker, Delivery } from '../broker/broker.js';
import type { HttpObserver } from '../http/context.js';
import { decodeBatch } from '../job/event-codec.js';
import { logFieldsOf } from '../job/log-fields.js';
import type { Log } from '../runtime/log.js';
import type { Records } from '../store/store.js';
import type { JobObserver } from '../worker/observer.js';

/** Shown around the parts they are named after; at other levels the parts go without. */
export interface JobLog {
  readonly accepted: HttpObserver['accepted'];
  readonly jobs: Pick<JobObserver, 'started' | 'settled'>;
  deliveries(broker: Broker): Pick<Broker, 'consume' | 'takeSuspect' | 'health'>;
  records(records: Records): Records;
}

export function createJobLog(log: Log): JobLog {
  function seen(delivery: Delivery): Delivery {
    const { job, lostCount } = delivery;
    log.debug(
      { ...logFieldsOf(job), lane: job.lane, lostCount },
      lostCount > 0 ? 'the job was delivered again' : 'the job was delivered',
    );
    return {
      job,
      lostCount,
      get isLost() {
        return delivery.isLost;
      },
      started: () => delivery.started(),
      ack: () => delivery.ack(),
      async return() {
        await delivery.return();
        log.debug(logFieldsOf(job), 'the job was returned to its queue');
      },
      retry: (next) => delivery.retry(next),
      deadLetter: (death) => delivery.deadLetter(death),
    };
  }

  function tellBatch(bytes: Buffer): void {
    const { source, seq, events } = decodeBatch(bytes);
    for (const { kind, id, run, attempt } of events)
      log.debug({ job: id, run, attempt, event: kind, source, seq }, 'an event was recorded');
  }

  return {
    accepted: (job, isAgain) =>
      log.debug(
        { ...logFieldsOf(job), lane: job.lane, dueAtMs: job.dueAtMs },
        isAgain ? 'the job was accepted again' : 'the job was accepted',
      ),
    jobs: {
      started: (job, waitMs) => log.debug({ ...logFieldsOf(job), waitMs }, 'the job was started'),
      settled: (job, outcome, durationMs) =>
        log.debug({ ...logFieldsOf(job), outcome, durationMs }, 'the job was settled'),
    },
    deliveries: (broker) => ({
      consume: (source, deliver) => broker.consume(source, (delivery) => deliver(seen(delivery))),
      async takeSuspect(queues) {
        const suspect = await broker.takeSuspect(queues);
        return suspect && seen(suspect);
      },
      health: () => broker.health(),
    }),
    records(records) {
      const { recordBatches } = records;
      return {
        ...records,
        async record(recording) {
          await records.record(recording);
          for (const { id, run, attempt, state } of recording.rows)
            log.debug({ job: id, run, attempt, state }, 'the row of the job was recorded');
        },
        ...(recordBatches && {
          async recordBatches(batches) {
            const count = await recordBatches(batches);
            if (count !== undefined) batches.forEach(tellBatch);
            return count;
          },
        }),
      };
    },
  };
}
