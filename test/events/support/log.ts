/** A log that keeps what is complained of. */
import type { Log } from '../../../src/runtime/log.js';

export interface KeptLog extends Log {
  readonly errors: string[];
  readonly warnings: string[];
}

export function createKeptLog(): KeptLog {
  const errors: string[] = [];
  const warnings: string[] = [];
  const log: KeptLog = {
    errors,
    warnings,
    error: (_, message) => void errors.push(message),
    warn: (_, message) => void warnings.push(message),
    info: () => undefined,
    debug: () => undefined,
    child: () => log,
  };
  return log;
}
