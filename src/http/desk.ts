/** The routes at which people read, cancel and replay jobs, put together over the store. */
import type Router from '@koa/router';
import type { AuditReport } from '../api/audit.js';
import type { Scope } from '../api/constants.js';
import type { Broker } from '../broker/broker.js';
import type { JobEvent } from '../job/event.js';
import { createCancel } from '../operations/cancel.js';
import type { DeadLetters } from '../operations/dead-letters.js';
import type { Queues } from '../operations/queues.js';
import { createReplay } from '../operations/replay.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { JobReader, Registers } from '../store/store.js';
import { auditPath, createAuditRoute } from './audit.js';
import { createBodies } from './body.js';
import type { Answering, RequestState } from './context.js';
import { addDeadLetterRoutes, createDeadLetterRoutes, deadLetterPaths } from './dead-letters.js';
import { createCancelRoute, createReplayRoute } from './operating.js';
import { addQueueRoutes, createQueueRoutes, queuePaths } from './queues.js';
import { createJobRoute, createListRoute } from './reading.js';
import type { Recent } from './recent.js';
import type { RouteLabels } from './steps.js';
import type { JobTypes } from './submission.js';
import { createWaiting } from './waiting.js';

export interface Desk {
  readonly store: {
    readonly jobs: Pick<JobReader, 'get' | 'list' | 'states'>;
    readonly registers: Pick<Registers, 'cancel' | 'cancelRequestedAt' | 'claimReplay'>;
  };
  readonly broker: Pick<Broker, 'publish' | 'durability' | 'health'>;
  /** Tells all processes that registers have changed (`EventChannel.announce`). */
  readonly announce: () => Promise<void>;
  /** Tells the read side of replays. */
  readonly tell: (event: JobEvent) => void;
  readonly jobTypes: JobTypes;
  /** Of the body of a replay: a whole payload. */
  readonly maxBodyBytes: number;
  /** RECORD_PAYLOAD. */
  readonly recordPayload: boolean;
  readonly queues: Queues;
  readonly deadLetters: DeadLetters;
  /** One look at store and broker. */
  readonly audit: () => Promise<AuditReport>;
  /** Requests that may wait for the ends of jobs at a time. */
  readonly mostWaiters?: number;
}

export interface DeskRoutes {
  readonly labels: RouteLabels['patterns'];
  /** Requests that wait for the end of a job are answered now. */
  stopWaiting(): void;
  /** Once no request is left. */
  close(): void;
}

interface DeskParts extends Desk {
  readonly recent: Recent;
  readonly clock: Clock;
  readonly log: Log;
  readonly bodyMs: number;
}

const listPath = '/v1/jobs';
const jobPath = '/v1/jobs/:id';
const cancelPath = '/v1/jobs/:id/cancel';
const replayPath = '/v1/jobs/:id/replay';
/** How many of the largest bodies are in memory at a time. */
const HELD_BODIES = 16;

export function addDeskRoutes(
  router: Router<RequestState>,
  scoped: (scope: Scope, route: Answering) => Answering,
  parts: DeskParts,
): DeskRoutes {
  const { store, recent, clock, log, maxBodyBytes } = parts;
  const { jobs, registers } = store;
  const waiting = createWaiting({
    jobs,
    clock,
    log,
    ...(parts.mostWaiters === undefined ? {} : { mostWaiters: parts.mostWaiters }),
  });
  const bodies = createBodies({ timeoutMs: parts.bodyMs, heldBytes: HELD_BODIES * maxBodyBytes, clock });
  const begun = (id: string) => recent.get(id);
  const reading = { store, recent, waiting, clock };
  const operating = {
    ...parts,
    jobs,
    bodies,
    cancel: createCancel({ jobs, registers, begun, announce: parts.announce, clock, log }),
    replay: createReplay({ ...parts, jobs, registers }),
  };
  router.get(listPath, scoped('read', createListRoute(reading)));
  router.get(jobPath, scoped('read', createJobRoute(reading)));
  router.post(cancelPath, scoped('operate', createCancelRoute(operating)));
  router.post(replayPath, scoped('operate', createReplayRoute(operating)));
  addQueueRoutes(router, createQueueRoutes({ queues: parts.queues, bodies, maxBodyBytes }), scoped);
  addDeadLetterRoutes(
    router,
    createDeadLetterRoutes({ deadLetters: parts.deadLetters, bodies, clock }),
    scoped,
  );
  router.get(auditPath, scoped('read', createAuditRoute(parts.audit)));
  return {
    labels: [
      jobPath,
      cancelPath,
      replayPath,
      ...Object.values(queuePaths),
      ...Object.values(deadLetterPaths),
      auditPath,
    ].map((label) => ({
      label,
      pattern: new RegExp(`^${label.replace(/:\w+/, '[^/]+')}$`),
    })),
    stopWaiting: () => waiting.close(),
    close: () => bodies.close(),
  };
}
