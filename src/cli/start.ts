/** `sluice start`: everything in one process. */
import type { Command } from 'commander';
import { addRole } from './role.js';

export function addStart(program: Command): void {
  addRole(
    program,
    'start',
    'Takes jobs in and works on them, in one process; without AMQP_URL the jobs lie in DATA_DIR.',
    'DATA_DIR=./data sluice start',
  );
}
