/** `sluice start`: everything in one process. */
import type { Command } from 'commander';
import { addRole } from './role.js';

export function addStart(program: Command): void {
  addRole(
    program,
    'start',
    'Takes jobs in and works on them, in one process.',
    'AMQP_URL=amqp://guest:guest@127.0.0.1:5672 sluice start',
  );
}
