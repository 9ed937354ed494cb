/**
 * `npm run bench [-- ingestion batch drain steady scale peers pickup recording tracing embedded --rounds 5 --seconds 5 --jobs 50000 --backlog 1000000 --keep]`:
 * ours beside the references of design.md 11, in one run. `--keep` writes what was measured to results.json and results.svg beside this file.
 */
import { parseArgs } from 'node:util';
import { cleanPrefix, randomPrefix } from '../support/prefix.js';
import { startNode } from '../support/rabbitmq.js';
import { benchBatch } from './batch.bench.js';
import type { Plan, RabbitPlan } from './bench-plan.js';
import { connectBench } from './bench-queue.js';
import { benchDrain } from './drain.bench.js';
import { benchEmbedded } from './embedded.bench.js';
import { generator } from './http-load.js';
import { benchIngestion } from './ingestion.bench.js';
import { benchPeers } from './peers.bench.js';
import { benchPickup } from './pickup.bench.js';
import { type Place, prepare } from './product.js';
import { benchRecording } from './recording.bench.js';
import { type Comparison, costTable, table } from './report.js';
import { keep, type Made } from './results.js';
import { benchScale } from './scale.bench.js';
import { benchSteady } from './steady.bench.js';
import { benchTracing } from './tracing.bench.js';

const onRabbitmq: Readonly<Record<string, (plan: RabbitPlan) => Promise<Comparison[]>>> = {
  ingestion: benchIngestion,
  batch: benchBatch,
  drain: benchDrain,
  steady: benchSteady,
  scale: benchScale,
  peers: benchPeers,
  pickup: benchPickup,
  recording: benchRecording,
  tracing: benchTracing,
};
const onItsOwn: Readonly<Record<string, (plan: Plan) => Promise<Comparison[]>>> = {
  embedded: benchEmbedded,
};
const known = [...Object.keys(onRabbitmq), ...Object.keys(onItsOwn)];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
    jobs: { type: 'string', default: '50000' },
    backlog: { type: 'string', default: '1000000' },
    keep: { type: 'boolean' },
  },
});
const names = positionals.length > 0 ? positionals : known;
const numbers = [values.rounds, values.seconds, values.jobs, values.backlog].map(Number);
const unknown = names.filter((name) => !known.includes(name));
if (unknown.length > 0 || numbers.some((number) => !Number.isSafeInteger(number) || number < 1)) {
  process.stderr.write(
    `usage: npm run bench -- [${known.join('] [')}] [--rounds 5] [--seconds 5] [--jobs 50000] [--backlog 1000000] [--keep]\n`,
  );
  process.exit(2);
}
const [rounds = 5, seconds = 5, jobs = 50_000, backlog = 1_000_000] = numbers;

const givenUrl = process.env['TEST_AMQP_URL'];
const needsRabbitmq = names.some((name) => Object.hasOwn(onRabbitmq, name));
prepare({
  rabbitmq: needsRabbitmq && !givenUrl,
  redis: names.some((name) => ['embedded', 'peers', 'pickup'].includes(name)),
  postgres: names.some((name) => ['recording', 'peers'].includes(name)),
});

const made = new Map<string, Made>();
const node = needsRabbitmq && !givenUrl ? await startNode() : undefined;
try {
  const place = { amqpUrl: givenUrl ?? node?.url ?? '', prefix: randomPrefix() };
  for (const name of names) {
    const notes: string[] = [];
    const plan: Plan = {
      rounds,
      seconds,
      jobs,
      backlog,
      progress: (text) => void process.stderr.write(`${text}\n`),
      note: (text) => void notes.push(text),
    };
    const comparisons = (await onItsOwn[name]?.(plan)) ?? (await onBroker(name, plan, place));
    made.set(name, { comparisons, notes });
  }
} finally {
  await node?.remove();
}
const all = [...made.values()];
const comparisons = all.flatMap((one) => one.comparisons);
const parts = [table(comparisons), ...all.flatMap(({ notes }) => notes), costTable(comparisons)];
process.stdout.write(`\n${parts.filter((part) => part !== '').join('\n\n')}\n
Medians of ${rounds} alternating rounds; the ratio is the median of each round's own. Load by ${generator}; services, references and the
servers they use share this machine, so read the ratios, not the rates.\n`);
if (values.keep === true) keep(made, new Date());

async function onBroker(name: string, plan: Plan, place: Place): Promise<Comparison[]> {
  const broker = await connectBench(place.amqpUrl);
  try {
    return (await onRabbitmq[name]?.({ ...plan, place, broker })) ?? [];
  } finally {
    await broker.remove(`${place.prefix}.raw`);
    await broker.close();
    await cleanPrefix(place.amqpUrl, place.prefix);
  }
}
