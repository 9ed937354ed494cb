/** Structured logs, one JSON line each on stderr. A line about a job carries `job`, its id, so it can be followed across processes. */
import { type DestinationStream, pino } from 'pino';
import type { LogLevel } from './log-level.js';

/** The part of pino that we use: `log.info({ job: id }, 'what happened')`. */
export interface Log {
  error(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  info(fields: object, message: string): void;
  debug(fields: object, message: string): void;
  child(fields: Record<string, unknown>): Log;
}

/** Keys that never reach a log line, at any of the first three levels. */
const secretKeys = ['authorization', 'password', 'secret', 'apiKey', 'api_key', 'cookie'];

export function createLog(level: LogLevel, destination?: DestinationStream): Log {
  return pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretKeys.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '***' },
    },
    destination ?? pino.destination({ dest: 2, sync: true }),
  );
}
