/** A reference of the bench of peers: the same Koa route with `send` of pg-boss, as its documentation has it. */
import PgBoss from 'pg-boss';
import { listen } from './reference-route.js';

const { DATABASE_URL = '', QUEUE = '' } = process.env;

const boss = new PgBoss(DATABASE_URL);
boss.on('error', (error) => process.stderr.write(`${error.message}\n`));
await boss.start();
await boss.createQueue(QUEUE);
listen(({ payload }) => boss.send(QUEUE, payload));
