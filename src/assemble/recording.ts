/** Puts the recorder together: what it writes, and what it keeps in order beside. */
import type { Config } from '../config.js';
import type { EventSender } from '../events/sender.js';
import type { Registry } from '../handler/registry.js';
import { shown } from '../http/spans.js';
import type { Tracing } from '../observe/tracing.js';
import { createReplay } from '../operations/replay.js';
import { createRecorder } from '../recorder/recorder.js';
import { createRedriver } from '../recorder/redriver.js';
import { createUpkeep } from '../recorder/upkeep.js';
import { systemClock as clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import type { Health, Service } from '../runtime/service.js';
import { createLedgers } from '../store/ledgers.js';
import { createRedrives } from '../store/redrives.js';
import { createRetention } from '../store/retention.js';
import type { Engine } from './engine.js';

export interface Recording extends Service {
  health(): Health;
}

export function createRecording(
  config: Config,
  {
    registry,
    engine,
    sender,
    spans,
    log,
  }: {
    readonly registry: Registry;
    readonly engine: Engine;
    readonly sender: EventSender;
    readonly spans: Tracing['replays'] | undefined;
    readonly log: Log;
  },
): Recording {
  const { broker, store } = engine;
  const recorder = createRecorder({ channel: broker.events, store, clock, log });
  const upkeep = createUpkeep({
    ledgers: createLedgers(store.sql),
    retention: createRetention(store.sql),
    idempotency: store.idempotency,
    ageMs: config.retentionAgeMs,
    jobs: config.retentionJobs,
    deadAgeMs: Math.max(config.retentionAgeMs, DEAD_AGE_MS),
    clock,
    log,
  });
  const replay = createReplay({
    jobs: store.jobs,
    registers: store.registers,
    broker,
    tell: (event) => sender.tell(event),
    recordPayload: config.recordPayload,
    clock,
  });
  const redriver = createRedriver({
    redrives: createRedrives(store.sql),
    jobs: store.jobs,
    replay: (id, traceparent) =>
      replay(id, undefined, (job) => {
        const made = traceparent === undefined ? job : { ...job, traceparent };
        const span = spans?.(made);
        return shown(span, broker.publish(span?.job ?? made));
      }),
    broker,
    hasQueue: (name) => registry.hasQueue(name),
    sender,
    clock,
    log,
  });
  const services = [recorder, upkeep, redriver];
  return {
    async start() {
      for (const service of services) await service.start();
    },
    async stop() {
      for (const service of services.toReversed()) await service.stop();
    },
    health: () => recorder.health(),
  };
}

/** Dead jobs wait for a person, who may be on holiday. */
const DEAD_AGE_MS = 30 * 86_400_000;
