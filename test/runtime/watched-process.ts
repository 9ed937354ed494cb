/** A process under the watchdog, for its tests: `<limitMs> turn | block | blockLongName | blockAfterStop | silent`. */
import { createLog } from '../../src/runtime/log.js';
import { createWatchdog } from '../../src/runtime/watchdog.js';

const [limit = '', conduct = ''] = process.argv.slice(2);
const limitMs = Number(limit);
const watchdog = createWatchdog({ limitMs, log: createLog('info') });
await watchdog.start();

function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

switch (conduct) {
  case 'turn':
    // Stands still again and again, never for longer than the limit.
    watchdog.started({ id: 'job-0', type: 'brisk' });
    for (let n = 0; n < 6; n++) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      block(limitMs / 2);
      await new Promise((resolve) => setTimeout(resolve, limitMs));
    }
    await watchdog.stop();
    break;
  case 'block':
    watchdog.started({ id: 'job-1', type: 'calm' });
    watchdog.started({ id: 'job-2', type: 'endless.loop' });
    setTimeout(() => block(60_000), 50);
    break;
  case 'blockLongName':
    watchdog.started({ id: 'i'.repeat(1000), type: 'endless.loop' });
    setTimeout(() => block(60_000), 50);
    break;
  case 'blockAfterStop':
    await watchdog.stop();
    block(limitMs + 2500);
    break;
  case 'silent':
    // Nothing else to do: the watchdog alone keeps no process alive.
    break;
}
console.log('over');
