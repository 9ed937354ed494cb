/** Puts together what people look at and what they ask for: jobs, queues, the audit, and what is measured of them. */
import type { QueueView } from '../api/queues.js';
import type { Config } from '../config.js';
import type { EventSender } from '../events/sender.js';
import type { Registry } from '../handler/registry.js';
import type { HttpOptions } from '../http/app.js';
import type { MetricsOptions } from '../observe/metrics.js';
import { createDeadLetters } from '../operations/dead-letters.js';
import { createQueues } from '../operations/queues.js';
import { createAuditor } from '../recorder/auditor.js';
import { systemClock as clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import { createSpacedLook } from '../runtime/spaced-look.js';
import { createAuditReader } from '../store/audit.js';
import { createRedrives } from '../store/redrives.js';
import type { Engine } from './engine.js';

export interface Desks {
  readonly routes: Pick<HttpOptions, 'desk'>;
  readonly measured: Pick<MetricsOptions, 'inspect' | 'readSide'>;
}

export interface DesksParts {
  readonly registry: Registry;
  readonly engine: Engine;
  readonly sender: EventSender;
  readonly log: Log;
}

/** An audit counts all rows: for metrics one in this time is enough. */
const AUDIT_EVERY_MS = 15_000;

export function createDesks(config: Config, { registry, engine, sender, log }: DesksParts): Desks {
  const { broker, store } = engine;
  const queues = createQueues({ queues: registry.queues, broker, store, clock, log });
  const auditor = createAuditor({ audit: createAuditReader(store.sql), broker, clock });
  const audits = createSpacedLook(() => auditor.report(), {
    clock,
    freshMs: AUDIT_EVERY_MS,
    failedMs: AUDIT_EVERY_MS,
  });

  return {
    routes: {
      desk: {
        store,
        broker,
        announce: () => broker.events.announce(),
        tell: (event) => sender.tell(event),
        jobTypes: registry,
        maxBodyBytes: config.maxBodyBytes,
        recordPayload: config.recordPayload,
        queues,
        deadLetters: createDeadLetters({
          jobs: store.jobs,
          redrives: createRedrives(store.sql),
          clock,
          log,
        }),
        audit: () => auditor.report(),
      },
    },
    measured: {
      async inspect() {
        const { lanes, events, deadLetters } = await broker.inspect();
        const stored = await queues.list().then(deadIn, () => undefined);
        return { lanes, events, deadLetters: stored === undefined ? undefined : stored + deadLetters };
      },
      readSide: {
        queues: () => queues.list(),
        rows: () => store.jobs.size(),
        unaccounted: async () => (await audits.see()).unaccounted,
      },
    },
  };
}

function deadIn(views: readonly QueueView[]): number {
  return views.reduce((total, { dead }) => total + dead, 0);
}
