/** `sluice work`: the worker pool. */
import type { Command } from 'commander';
import { addRole } from './role.js';

export function addWork(program: Command): void {
  addRole(
    program,
    'work',
    'Works on jobs at its own pace; run as many as the work needs.',
    'AMQP_URL=amqp://guest:guest@127.0.0.1:5672 WORKER_CONCURRENCY=50 sluice work',
  );
}
