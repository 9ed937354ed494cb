/** `POST /v1/jobs/:id/cancel` and `POST /v1/jobs/:id/replay`: what people ask of one job. */
import { type CancelAnswer, type ReplayAnswer, ReplayRequest } from '../api/contract.js';
import type { Broker } from '../broker/broker.js';
import { OutcomeUnknown } from '../job/errors.js';
import type { Job } from '../job/job.js';
import type { createCancel } from '../operations/cancel.js';
import { type createReplay, replayLeaseMs } from '../operations/replay.js';
import type { Clock } from '../runtime/clock.js';
import type { JobReader } from '../store/store.js';
import { answer } from './answer.js';
import type { Bodies } from './body.js';
import type { Answering } from './context.js';
import { isoOf } from './job-view.js';
import type { ParsedJson } from './json.js';
import { refuseFields, withBody, withoutBody } from './optional-body.js';
import { Rejection, rejectionOf } from './problem.js';
import { idOf, parametersOf, unknownJob } from './reading.js';
import type { Recent } from './recent.js';
import { shown } from './spans.js';
import type { JobTypes } from './submission.js';
import { traceContextOf } from './trace-context.js';

export interface OperatingOptions {
  readonly cancel: ReturnType<typeof createCancel>;
  readonly replay: ReturnType<typeof createReplay>;
  readonly jobs: Pick<JobReader, 'get'>;
  readonly broker: Pick<Broker, 'publish' | 'durability' | 'health'>;
  readonly jobTypes: JobTypes;
  readonly recent: Recent;
  readonly bodies: Bodies;
  readonly maxBodyBytes: number;
  readonly clock: Clock;
}

export function createCancelRoute({ cancel, bodies, clock }: OperatingOptions): Answering {
  return async (context) => {
    const id = idOf(context);
    parametersOf(context);
    await withoutBody(context, bodies);
    const outcome = await cancel(id);
    switch (outcome.kind) {
      case 'requested': {
        const body: CancelAnswer = {
          id,
          run: outcome.run,
          cancelRequestedAt: isoOf(outcome.atMs),
          links: { self: `/v1/jobs/${id}` },
        };
        answer(context, 202, JSON.stringify(body));
        return;
      }
      case 'ended':
        throw conflict(`the job is ${outcome.state} already, so there is nothing to cancel`, outcome.state);
      case 'unknown':
        throw unknownJob(id, clock.now());
      default:
        return outcome satisfies never;
    }
  };
}

export function createReplayRoute(options: OperatingOptions): Answering {
  const { replay, jobs, broker, jobTypes, recent, bodies, maxBodyBytes, clock } = options;

  return async (context) => {
    const id = idOf(context);
    parametersOf(context);
    await withBody(context, bodies, maxBodyBytes, async (body) => {
      refuseFields(body, Object.keys(ReplayRequest.properties));
      // Asked before the claim, which a refused publish would leave behind for its lease.
      const health = broker.health();
      if (!health.ok) throw new Rejection('broker_unavailable', health.reason);
      await refuseMisfit(id, body);
      const trace = traceContextOf(context.req.headers);
      const publish = (job: Job): Promise<void> => {
        const made = { ...job, ...trace };
        const span = context.state.span?.publish(made, false);
        return shown(span, broker.publish(span?.job ?? made));
      };
      const outcome = await replay(id, body?.payload, publish).catch((error: unknown) => {
        throw rejectionOfReplay(error, id);
      });
      switch (outcome.kind) {
        case 'replayed': {
          const { job } = outcome;
          recent.add(job);
          const self = `/v1/jobs/${id}`;
          const accepted: ReplayAnswer = {
            id,
            type: job.type,
            queue: job.queue,
            state: 'queued',
            run: job.run,
            durability: broker.durability,
            links: { self, cancel: `${self}/cancel` },
          };
          answer(context, 202, JSON.stringify(accepted), { Location: self });
          return;
        }
        case 'forbidden':
          throw conflict(
            `the job is ${outcome.state}; only dead and cancelled jobs can be replayed`,
            outcome.state,
          );
        case 'claimed':
          throw conflict(
            `another replay of this job is under way, or began within the last ${replayLeaseMs / 1000} s with an unknown outcome`,
            outcome.state,
          );
        case 'no-payload':
          throw conflict(
            'the payload of this job is not kept (RECORD_PAYLOAD would keep it): send one as {"payload": …}',
            outcome.state,
          );
        case 'worn-out':
          throw conflict('the job has had as many runs as can be counted', outcome.state);
        case 'unknown':
          throw notReplayable(id);
        default:
          return outcome satisfies never;
      }
    });
  };

  /** An edited payload must fit its handler; and a job goes back only into a queue that there is. */
  async function refuseMisfit(id: string, body: ParsedJson | undefined): Promise<void> {
    const row = (await jobs.get(id))?.row;
    if (row === undefined) throw notReplayable(id);
    if (!jobTypes.hasQueue(row.queue))
      throw new Rejection('unknown_queue', `the queue '${row.queue}' is gone: add it to QUEUES`);
    if (body?.payload === undefined) return;
    if (jobTypes.get(row.type) === undefined) {
      throw new Rejection(
        'unknown_job_type',
        `there is no job type '${row.type}' any more, so a payload cannot be checked`,
      );
    }
    const misfit = jobTypes.checkPayload(row.type, (body.value as { payload: unknown }).payload);
    if (misfit !== undefined) throw new Rejection('invalid_payload', misfit);
  }

  function notReplayable(id: string): Rejection {
    const begun = recent.get(id);
    if (begun === undefined) return unknownJob(id, clock.now());
    return conflict('the job has just begun; only dead and cancelled jobs can be replayed', 'queued');
  }
}

/** The claim is ours until its lease ends, so the same run can be tried again then and not before. */
function rejectionOfReplay(error: unknown, id: string): Rejection {
  const rejection = rejectionOf(error);
  if (
    rejection.code !== 'broker_unavailable' &&
    rejection.code !== 'queue_full' &&
    rejection.code !== 'overloaded'
  )
    return rejection;
  const seconds = replayLeaseMs / 1000;
  const detail =
    error instanceof OutcomeUnknown
      ? `outcome unknown: the broker has not answered in time, so the new run of job ${id} may or may not be stored; in ${seconds} s the same run can be tried again`
      : `${rejection.message}; nothing was done, and in ${seconds} s it can be tried again`;
  return new Rejection(rejection.code, detail, {
    cause: error,
    extra: { id },
    headers: { 'Retry-After': String(seconds) },
  });
}

function conflict(detail: string, state: string): Rejection {
  return new Rejection('conflict', detail, { extra: { state } });
}
