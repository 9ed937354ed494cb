/** `npm run bench [-- ingestion batch drain --rounds 3 --seconds 5 --jobs 50000]`: ours beside the references of design.md 11, in one run. */
import { parseArgs } from 'node:util';
import { cleanPrefix, randomPrefix } from '../support/prefix.js';
import { startNode } from '../support/rabbitmq.js';
import { benchBatch } from './batch.bench.js';
import type { Plan } from './bench-plan.js';
import { connectBench } from './bench-queue.js';
import { benchDrain } from './drain.bench.js';
import { generator } from './http-load.js';
import { benchIngestion } from './ingestion.bench.js';
import { prepare } from './product.js';
import { type Comparison, table } from './report.js';

const benches: Readonly<Record<string, (plan: Plan) => Promise<Comparison[]>>> = {
  ingestion: benchIngestion,
  batch: benchBatch,
  drain: benchDrain,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    jobs: { type: 'string', default: '50000' },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(benches);
const numbers = [values.rounds, values.seconds, values.jobs].map(Number);
const unknown = names.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0 || numbers.some((number) => !Number.isSafeInteger(number) || number < 1)) {
  process.stderr.write(
    `usage: npm run bench -- [${Object.keys(benches).join('] [')}] [--rounds 3] [--seconds 5] [--jobs 50000]\n`,
  );
  process.exit(2);
}
const [rounds = 3, seconds = 5, jobs = 50_000] = numbers;

const givenUrl = process.env['TEST_AMQP_URL'];
prepare(!givenUrl);
const node = givenUrl ? undefined : await startNode();
const place = { amqpUrl: givenUrl ?? node?.url ?? '', prefix: randomPrefix() };
const broker = await connectBench(place.amqpUrl);
try {
  const plan: Plan = {
    place,
    broker,
    rounds,
    seconds,
    jobs,
    progress: (text) => void process.stderr.write(`${text}\n`),
  };
  const comparisons: Comparison[] = [];
  for (const name of names) comparisons.push(...((await benches[name]?.(plan)) ?? []));
  process.stdout.write(`\n${table(comparisons)}\n
Medians of ${rounds} alternating rounds; the ratio is the median of each round's own. Load by ${generator}; services, references and the
broker share this machine, so read the ratios, not the rates.\n`);
} finally {
  await broker.remove(`${place.prefix}.raw`);
  await broker.close();
  await cleanPrefix(place.amqpUrl, place.prefix);
  await node?.remove();
}
