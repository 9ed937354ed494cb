/**
 * What the watchdog's thread runs, as text: a file would be TypeScript under test and JavaScript in the package, and a
 * function's own text is changed by loaders. It sleeps in Atomics.wait until the next beat, so it costs no CPU.
 */
export const watchdogSource = `
'use strict';
const { workerData } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const { memory, limitMs } = workerData;
const cells = new Int32Array(memory, 0, 3);

function isSilent(forMs) {
  return Atomics.wait(cells, 0, Atomics.load(cells, 0), forMs) === 'timed-out';
}

function lastJob() {
  const length = Atomics.load(cells, 2);
  if (length === 0) return {};
  const text = Buffer.from(memory, cells.byteLength, length).toString('latin1');
  const [id, type] = text.split(' ');
  return { job: id, type };
}

while (Atomics.load(cells, 1) === 0) {
  // A process that was suspended wakes to an expired wait: the second, shorter one gives its loop time to turn.
  if (!isSilent(limitMs) || !isSilent(Math.max(1000, limitMs / 10))) continue;
  if (Atomics.load(cells, 1) !== 0) break;
  const line = {
    level: 'fatal',
    time: new Date().toISOString(),
    pid: process.pid,
    ...lastJob(),
    msg: 'the event loop has not turned for ' + limitMs + ' ms: a handler blocks it, most likely that of the job ' +
      'started last; the process is killed so that its jobs are delivered again. Move such work to a worker thread.',
  };
  // process.stderr of a thread passes through the main thread, which stands still.
  try { writeSync(2, JSON.stringify(line) + '\\n'); } catch {}
  process.kill(process.pid, 'SIGKILL');
}
`;
