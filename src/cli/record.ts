/** `sluice record`: the recorder. */
import type { Command } from 'commander';
import { addRole } from './role.js';

export function addRecord(program: Command): void {
  addRole(
    program,
    'record',
    'Records what happens to jobs, for all who ask; run one or more beside serve and work.',
    'AMQP_URL=amqp://guest:guest@127.0.0.1:5672 DATABASE_URL=postgres://sluice@127.0.0.1/sluice sluice record',
  );
}
