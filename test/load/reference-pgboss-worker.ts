/**
 * A reference of the bench of peers: workers of pg-boss that do nothing. Each takes a batch of 500 and is notified to take the next at
 * once, for else it would wait for its polling interval, of half a second at least.
 */
import PgBoss from 'pg-boss';

const { DATABASE_URL = '', QUEUE = '' } = process.env;
const WORKERS = 4;
const BATCH = 500;

const boss = new PgBoss(DATABASE_URL);
boss.on('error', (error) => process.stderr.write(`${error.message}\n`));
await boss.start();
await boss.createQueue(QUEUE);
for (let worker = 0; worker < WORKERS; worker++) {
  const id: string = await boss.work(QUEUE, { batchSize: BATCH, pollingIntervalSeconds: 0.5 }, async () =>
    boss.notifyWorker(id),
  );
}
process.stdout.write('ready\n');
process.once('SIGTERM', () => void boss.stop({ graceful: false }));
