/** Structured logs, one JSON line each on stderr. A line about a job carries `job`, its id, so it can be followed across processes. */
import { type DestinationStream, pino } from 'pino';
import type { LogLevel } from './log-level.js';
import { createMask } from './mask.js';

/** The part of pino that we use: `log.info({ job: id }, 'what happened')`. */
export interface Log {
  error(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  info(fields: object, message: string): void;
  debug(fields: object, message: string): void;
  child(fields: Record<string, unknown>): Log;
}

/** Keys whose values never reach a log line, at any of the first three levels. `detail`: where PostgreSQL quotes a row. */
const secretKeys = [
  'authorization',
  'password',
  'secret',
  'apiKey',
  'api_key',
  'cookie',
  'payload',
  'detail',
];

export interface LogOptions {
  /** Values that are masked wherever they come up. */
  readonly secrets?: readonly string[];
  /** Default: stderr. */
  readonly destination?: DestinationStream;
}

export function createLog(level: LogLevel, options: LogOptions = {}): Log {
  const { secrets = [], destination = pino.destination({ dest: 2, sync: true }) } = options;
  const mask = createMask(secrets);
  return pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretKeys.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '***' },
    },
    { write: (line) => destination.write(mask(line)) },
  );
}
