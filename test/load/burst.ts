/**
 * `npm run burst`: 20,000 `http.push` jobs as fast as they are taken, 50 at a time worked off, the broker and the worker
 * killed (`kill -9`) in the middle. Prints the ledger; exit code 1 when an accepted job did not reach the sink.
 */
import { parseArgs } from 'node:util';
import { sleep, systemClock } from '../../src/runtime/clock.js';
import { randomPrefix } from '../support/prefix.js';
import { type RabbitNode, startNode } from '../support/rabbitmq.js';
import { createLedger } from './ledger.js';
import { printed, rate, seconds } from './ledger-table.js';
import { end, prepare, startRole } from './product.js';
import { startSinkProcess } from './sink-client.js';
import { startCrowd } from './submit.js';
import { STALL_MS, until, untilStill } from './waiting.js';

const PROGRESS_MS = 2000;
const SINK_DELAY_MS = 10;

const { values } = parseArgs({ options: { jobs: { type: 'string', default: '20000' } } });
const jobs = Number(values.jobs);
if (!Number.isSafeInteger(jobs) || jobs < 1000) {
  process.stderr.write('usage: npm run burst -- [--jobs 20000], at least 1000\n');
  process.exit(2);
}

prepare({ rabbitmq: true });
const startMs = Date.now();
const say = (text: string): void => {
  process.stderr.write(`${((Date.now() - startMs) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
};
const node = await startNode();
try {
  process.exitCode = await burst(node);
} finally {
  await node.remove();
}

async function burst(broker: RabbitNode): Promise<number> {
  const place = { amqpUrl: broker.url, prefix: randomPrefix() };
  const { sink, sinkUrl, count, readArrivals } = await startSinkProcess(SINK_DELAY_MS);
  const settings = { WORKER_CONCURRENCY: '50', HTTP_PUSH_ALLOW_PRIVATE: 'true', LOG_LEVEL: 'warn' };
  const serve = await startRole('serve', place, settings);
  let work = await startRole('work', place, settings);
  say(`broker, serve, work and sink are up; submitting ${jobs.toLocaleString('en')} jobs`);

  const burstAtMs = Date.now();
  const crowd = startCrowd(serve.url, jobs, (n) =>
    JSON.stringify({ type: 'http.push', payload: { url: sinkUrl, body: { n } } }),
  );
  const { submission } = crowd;
  let submittedAtMs = 0;
  const submitted = crowd.done.then(() => {
    submittedAtMs = Date.now();
    say(`all are accepted, ${rate(jobs, submittedAtMs - burstAtMs)}`);
  });
  submitted.catch(() => undefined); // awaited below

  const progress = setInterval(() => {
    const tell = (distinct: number): void => say(`accepted ${submission.accepted.size}, arrived ${distinct}`);
    count().then(tell, () => undefined); // it is told again in a moment
  }, PROGRESS_MS);

  await until(async () => submission.accepted.size >= jobs * 0.3, crowd.done);
  say(`killing the broker (kill -9) with ${submission.accepted.size} accepted`);
  const brokerKilledAtMs = Date.now();
  await broker.kill();
  await broker.restart();
  const brokerOutage = { fromMs: brokerKilledAtMs, toMs: Date.now() };
  say(`the broker is back after ${seconds(brokerOutage.toMs - brokerOutage.fromMs)}`);

  await until(async () => (await count()) >= jobs * 0.5, crowd.done);
  say('killing the worker (kill -9)');
  work.process.kill('SIGKILL');
  const workerKilledAtMs = Date.now();
  await work.process.exited;
  work = await startRole('work', place, settings);
  const workerOutage = { fromMs: workerKilledAtMs, toMs: Date.now() };
  say('a new worker is up');

  await submitted;
  const facts = {
    accepted: submission.accepted,
    unknown: submission.unknown,
    workerOutages: [workerOutage],
    brokerOutages: [brokerOutage],
  };
  await untilStill(
    count,
    jobs,
    async () => createLedger({ ...facts, arrivals: await readArrivals() }).lost.length === 0,
  );
  const drainedAtMs = Date.now();
  await untilEmpty(broker, place.prefix); // late duplicates count, too
  clearInterval(progress);

  const ledger = createLedger({ ...facts, arrivals: await readArrivals() });
  await Promise.all([end(serve.process), end(work.process), end(sink)]);
  process.stdout.write(`\n${printed(ledger, submission)}

submitting took ${seconds(submittedAtMs - burstAtMs)} (${rate(jobs, submittedAtMs - burstAtMs)}), the last job arrived ${seconds(drainedAtMs - burstAtMs)} after the first was sent
the broker was killed at ${seconds(brokerKilledAtMs - burstAtMs)} and away for ${seconds(brokerOutage.toMs - brokerOutage.fromMs)}, the worker was killed at ${seconds(workerKilledAtMs - burstAtMs)}\n`);
  return ledger.lost.length === 0 ? 0 : 1;
}

/** Until no queue of the topology holds a job, dead letters apart; gives up after STALL_MS. No recorder runs, so events stay. */
async function untilEmpty(broker: RabbitNode, prefix: string): Promise<void> {
  const giveUpAtMs = Date.now() + STALL_MS;
  const apart = [`${prefix}.dead`, `${prefix}.recorder`];
  while (Date.now() < giveUpAtMs) {
    const queues = (await broker.rabbitmqctl('list_queues', '--silent', 'name', 'messages')).split('\n');
    const held = queues
      .map((line) => line.split('\t'))
      .filter(([name = '']) => name.startsWith(`${prefix}.`) && !apart.includes(name))
      .reduce((sum, [, messages]) => sum + Number(messages), 0);
    if (held === 0) return;
    await sleep(systemClock, 1000);
  }
  say('the queues did not become empty');
}
