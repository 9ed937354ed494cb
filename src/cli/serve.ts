/** `sluice serve`: the ingestion tier. */
import type { Command } from 'commander';
import { addRole } from './role.js';

export function addServe(program: Command): void {
  addRole(
    program,
    'serve',
    'Takes jobs in over HTTP; run as many as the burst needs.',
    'AMQP_URL=amqp://guest:guest@127.0.0.1:5672 PORT=8080 sluice serve',
  );
}
