/** A process of its own around `runService`, with a service that only waits on timers that keep nothing alive. */
import { runService } from '../../src/cli/run-service.js';
import { sleep, systemClock } from '../../src/runtime/clock.js';
import { createLog } from '../../src/runtime/log.js';

const [, , behaviour] = process.argv;

const service = {
  start: () => sleep(systemClock, 50),
  stop: () => (behaviour === 'stuck' ? new Promise<void>(() => undefined) : sleep(systemClock, 50)),
  describe: () => ['ready'],
};

await runService(async () => service, { host: process, log: createLog('info'), clock: systemClock });
if (behaviour === 'throws')
  setImmediate(() => {
    throw new Error('surprise');
  });
if (behaviour === 'rejects') void Promise.reject(new Error('surprise'));
