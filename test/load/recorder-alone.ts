/** How many full life cycles a second a recorder writes on its own, out of a recorder queue that was filled before. */
import { v7 as uuid } from 'uuid';
import type { JobEvent } from '../../src/job/event.js';
import { encodeBatch } from '../../src/job/event-codec.js';
import { createRecorder } from '../../src/recorder/recorder.js';
import { systemClock as clock, sleep } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';
import type { Store } from '../../src/store/store.js';
import { createRabbitBench } from '../broker/rabbitmq/bench.js';

const EVENTS_A_BATCH = 200;
/** Batches between the acceptance of a job and its end. */
const BEHIND = 50;
const PUBLISHES_AT_ONCE = 256;
const POLL_MS = 5;
const log = createLog('warn');

/** As a serve process and a worker send them: acceptances ahead, ends some batches behind. */
function batchesOf(jobs: number): Buffer[] {
  const atMs = Date.now();
  const ids = Array.from({ length: jobs }, () => uuid());
  const about = {
    type: 'echo',
    queue: 'default',
    lane: 'normal',
    run: 1,
    attempt: 1,
    dueAtMs: atMs,
  } as const;
  const lag = BEHIND * EVENTS_A_BATCH;
  const [serve, work] = [uuid(), uuid()];
  const made: Buffer[] = [];
  let seq = 0;
  for (let from = 0; from < jobs + lag; from += EVENTS_A_BATCH) {
    const told = ids.slice(from, from + EVENTS_A_BATCH);
    const ended = from >= lag ? ids.slice(from - lag, from - lag + EVENTS_A_BATCH) : [];
    const accepted: JobEvent[] = told.map((id) => ({ ...about, id, atMs, kind: 'accepted' }));
    const final: JobEvent[] = ended.map((id) => ({
      ...about,
      id,
      atMs: atMs + 50,
      kind: 'succeeded',
      startedAtMs: atMs + 20,
      result: '{"status":200}',
    }));
    seq += 1;
    const common = { seq, host: 'bench 1', atMs, held: 0, isLast: false } as const;
    made.push(encodeBatch({ ...common, source: serve, role: 'serve', events: accepted }));
    made.push(encodeBatch({ ...common, source: work, role: 'work', events: final }));
  }
  return made;
}

/** @param store  started, and empty */
export async function recorderRate(amqpUrl: string, store: Store, jobs: number): Promise<number> {
  const bench = createRabbitBench(amqpUrl);
  try {
    const { events: channel } = await bench.open();
    const made = batchesOf(jobs);
    for (let from = 0; from < made.length; from += PUBLISHES_AT_ONCE)
      await Promise.all(
        made.slice(from, from + PUBLISHES_AT_ONCE).map((batch) => channel.publish(batch).done),
      );
    const recorder = createRecorder({ channel, store, clock, log });
    const fromMs = performance.now();
    await recorder.start();
    while (recorder.stats.recorded < 2 * jobs) await sleep(clock, POLL_MS);
    const perSecond = (jobs * 1000) / (performance.now() - fromMs);
    await recorder.stop();
    return perSecond;
  } finally {
    await bench.close();
  }
}
