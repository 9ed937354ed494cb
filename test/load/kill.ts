/**
 * `npm run kill`: 10,000 `http.push` jobs through `sluice start` on the built-in engine, with a `kill -9` of the whole
 * process every second that it is up, and every third time at some moment of its start, until all are through. Prints the
 * ledger; exit code 1 when an accepted job did not reach the sink.
 */
import { parseArgs } from 'node:util';
import { sleep, systemClock } from '../../src/runtime/clock.js';
import { runKills } from './kill-run.js';
import { printed, seconds } from './ledger-table.js';
import { prepare } from './product.js';

const LIFE_MS = 1000;
const SINK_DELAY_MS = 10;

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '10000' },
    concurrency: { type: 'string', default: '10' },
  },
});
const [jobs = 0, concurrency = 0] = [values.jobs, values.concurrency].map(Number);
if (![jobs, concurrency].every((number) => Number.isSafeInteger(number) && number >= 1)) {
  process.stderr.write('usage: npm run kill -- [--jobs 10000] [--concurrency 10]\n');
  process.exit(2);
}

prepare({});
const startMs = Date.now();
const report = await runKills({
  jobs,
  concurrency,
  sinkDelayMs: SINK_DELAY_MS,
  async untilKill({ number, ready }) {
    if (number % 3 === 2) return sleep(systemClock, Math.random() * LIFE_MS);
    await ready;
    await sleep(systemClock, LIFE_MS);
  },
  say: (text) =>
    void process.stderr.write(`${((Date.now() - startMs) / 1000).toFixed(1).padStart(6)} s  ${text}\n`),
});
const { ledger, submission, kills, killsAtStart, left, check, tookMs } = report;
process.stdout.write(`\n${printed(ledger, submission, [
  ['kills (kill -9)', kills],
  ['  of these while it was starting', killsAtStart],
  ['dead letters', left.dead],
  ['left in the file', left.jobs + left.delayed + left.suspects],
])}

it took ${seconds(tookMs)}; the file of the engine, checked by SQLite: ${check}\n`);
process.exitCode = ledger.lost.length === 0 && check === 'ok' ? 0 : 1;
