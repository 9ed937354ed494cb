/** The table of all settings: name, kind, default, meaning. The README's table and every message are made from it. */
import { logLevels } from '../runtime/log-level.js';
import { apiKeys, clientKey, mailAddress, webhookSecret } from './api-keys.js';
import {
  flag,
  folder,
  host,
  type Kind,
  matching,
  moduleFile,
  mostConcurrency,
  oneOf,
  queueNames,
  queueShares,
  wholeNumber,
} from './kinds.js';
import { amqpUrls, postgresUrl, serverUrl, smtpUrl } from './urls.js';

export interface Setting<Value> {
  readonly name: string;
  readonly kind: Kind<Value>;
  /** As it would be written in the environment; absent: the setting may stay unset. */
  readonly fallback: string | undefined;
  /** What stands in the README's column where there is no fallback. */
  readonly unset: string;
  /** One sentence in Markdown. */
  readonly meaning: string;
  /** Its value is never shown, and it may come as a file named by `<NAME>_FILE`. */
  readonly isSecret: boolean;
}

function setting<Value>(name: string, kind: Kind<Value>, fallback: string, meaning: string): Setting<Value> {
  return { name, kind, fallback, unset: '', meaning, isSecret: false };
}

function optional<Value>(
  name: string,
  kind: Kind<Value>,
  unset: string,
  meaning: string,
): Setting<Value | undefined> {
  return { name, kind, fallback: undefined, unset, meaning, isSecret: false };
}

function secret<Value>(
  name: string,
  kind: Kind<Value>,
  unset: string,
  meaning: string,
): Setting<Value | undefined> {
  return { name, kind, fallback: undefined, unset, meaning, isSecret: true };
}

/** setTimeout fires at once beyond this many ms (a 32-bit signed integer). */
const longestTimerMs = 2_147_483_647;
const dayMs = 86_400_000;

/** What a service reads. The keys are the fields of `Config`. */
export const settings = {
  host: setting(
    'HOST',
    host,
    '127.0.0.1',
    'Address to listen on; beyond this machine, `start` and `serve` ask for `API_KEYS`.',
  ),
  port: setting(
    'PORT',
    wholeNumber(0, 65_535),
    '8080',
    'Port of `start` and `serve`; 0 takes a free one and prints it.',
  ),
  workerPort: setting(
    'WORKER_PORT',
    wholeNumber(0, 65_535),
    '8081',
    'Port of `work` and `record` for `/livez`, `/readyz` and `/metrics`; 0 takes a free one and prints it.',
  ),
  amqpUrls: secret(
    'AMQP_URL',
    amqpUrls,
    'the built-in engine',
    'Where RabbitMQ is; without it the jobs lie in `DATA_DIR`, for `start` alone.',
  ),
  amqpPrefix: setting(
    'AMQP_PREFIX',
    matching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/, 'letters, digits, `_` and `-`, at most 63'),
    'sluice',
    'First word of the name of every exchange and queue.',
  ),
  databaseUrl: secret(
    'DATABASE_URL',
    postgresUrl,
    'SQLite in `DATA_DIR`',
    'The PostgreSQL database for what happened to jobs, shared by many machines; goes with `AMQP_URL`.',
  ),
  dataDir: setting(
    'DATA_DIR',
    folder,
    './data',
    'Where the built-in engine keeps its jobs (one process at a time), and SQLite what happened to them.',
  ),
  logLevel: setting(
    'LOG_LEVEL',
    oneOf(logLevels),
    'info',
    'The least important kind of line that is logged.',
  ),
  apiKeys: secret(
    'API_KEYS',
    apiKeys,
    'open to all',
    'Who may do what; the keys themselves are not stored anywhere.',
  ),
  handlersModule: optional(
    'HANDLERS',
    moduleFile,
    'the shipped ones',
    'A module whose exports are your own handlers; they are added to the shipped ones.',
  ),
  queues: optional(
    'QUEUES',
    queueNames,
    "the handlers' own",
    'Queues that exist beside those of the handlers.',
  ),
  workerConcurrency: setting(
    'WORKER_CONCURRENCY',
    wholeNumber(1, mostConcurrency),
    '10',
    'Jobs that one worker process runs at the same time, per queue.',
  ),
  workerQueues: optional('WORKER_QUEUES', queueShares, 'all', 'The queues this worker works on.'),
  workerPrefetch: optional(
    'WORKER_PREFETCH',
    wholeNumber(1, 65_535, 'messages'),
    'derived',
    'Jobs a worker holds per lane, running or about to run.',
  ),
  jobMaxAttempts: setting(
    'JOB_MAX_ATTEMPTS',
    wholeNumber(1, 1000, 'attempts'),
    '5',
    'Attempts before a job is a dead letter, the first included, where neither request nor handler says.',
  ),
  jobTimeoutMs: setting(
    'JOB_TIMEOUT_MS',
    wholeNumber(1, dayMs, 'ms'),
    '60000',
    'Time limit of one attempt, where neither request nor handler says.',
  ),
  retryBaseMs: setting(
    'RETRY_BASE_MS',
    wholeNumber(1, longestTimerMs, 'ms'),
    '1000',
    'The first retry waits a random time up to this; each further one up to twice as long.',
  ),
  retryMaxMs: setting(
    'RETRY_MAX_MS',
    wholeNumber(1, longestTimerMs, 'ms'),
    '600000',
    'No retry waits longer; at least `RETRY_BASE_MS`.',
  ),
  shutdownGraceMs: setting(
    'SHUTDOWN_GRACE_MS',
    wholeNumber(0, dayMs, 'ms'),
    '25000',
    'How long a stop waits for running jobs and requests before it aborts them.',
  ),
  publishWindow: setting(
    'PUBLISH_WINDOW',
    wholeNumber(1, 1_000_000, 'messages'),
    '4096',
    'Publishes that may wait for their confirm; beyond it requests get 503.',
  ),
  maxBodyBytes: setting(
    'MAX_BODY_BYTES',
    // RabbitMQ 4 takes messages up to 16 MiB unless told otherwise, and closes the channel on a larger one.
    wholeNumber(1, 16 * 1_048_576, 'bytes'),
    '1048576',
    'Largest job: the body of one request, or one line of NDJSON.',
  ),
  maxBatchBytes: setting(
    'MAX_BATCH_BYTES',
    wholeNumber(1, 256 * 1_048_576, 'bytes'),
    '67108864',
    'Largest batch; at least `MAX_BODY_BYTES`.',
  ),
  maxBatchJobs: setting(
    'MAX_BATCH_JOBS',
    wholeNumber(1, 1_000_000, 'jobs'),
    '10000',
    'Most jobs in a batch.',
  ),
  idempotencyTtlMs: setting(
    'IDEMPOTENCY_TTL_MS',
    // No shorter than the lease of a key: an expired key is free, also for the request that still has it.
    wholeNumber(60_000, longestTimerMs, 'ms'),
    '86400000',
    'How long an `Idempotency-Key` is remembered.',
  ),
  resultMaxBytes: setting(
    'RESULT_MAX_BYTES',
    wholeNumber(0, 16 * 1_048_576, 'bytes'),
    '65536',
    'Results of handlers are cut to this size, and say so.',
  ),
  retentionAgeMs: setting(
    'RETENTION_AGE_MS',
    wholeNumber(60_000, 3650 * dayMs, 'ms'),
    '604800000',
    'Finished jobs are forgotten after this time.',
  ),
  retentionJobs: setting(
    'RETENTION_JOBS',
    wholeNumber(0, 1_000_000_000, 'jobs'),
    '1000000',
    'Finished jobs that are remembered; beyond it the oldest go first.',
  ),
  recordPayload: setting(
    'RECORD_PAYLOAD',
    flag,
    'false',
    'Remembers the payload of every job, not only of dead and cancelled ones.',
  ),
  smtpUrl: secret(
    'SMTP_URL',
    smtpUrl,
    'no mail',
    'The mail server of `email.send`; `SMTP_FROM` goes with it.',
  ),
  smtpFrom: optional('SMTP_FROM', mailAddress, 'no mail', 'Sender of the mails of `email.send`.'),
  httpPushSecret: secret(
    'HTTP_PUSH_SECRET',
    webhookSecret,
    'unsigned',
    'Signs the requests of `http.push` after Standard Webhooks.',
  ),
  httpPushAllowPrivate: setting(
    'HTTP_PUSH_ALLOW_PRIVATE',
    flag,
    'false',
    'Lets `http.push` call private and loopback addresses.',
  ),
};

/** What `submit` and `batch` read. The keys are the fields of `ClientConfig`. */
export const clientSettings = {
  url: setting(
    'SLUICE_URL',
    serverUrl,
    'http://127.0.0.1:8080',
    'The server that the client commands talk to (`--url`).',
  ),
  apiKey: secret('SLUICE_API_KEY', clientKey, 'none', 'The key they show (`--api-key`).'),
};

/** Settings of the contract whose feature this version does not have: set, they are refused rather than ignored. */
export const laterSettings: ReadonlySet<string> = new Set([
  'QUEUE_MAX_DEPTH',
  'RATE_LIMIT',
  'SPOOL',
  'WORKER_ADAPTIVE',
]);

export type ValuesOf<Table> = {
  readonly [Field in keyof Table]: Table[Field] extends Setting<infer Value> ? Value : never;
};

/** The settings as a Markdown table, in the order above. */
export function settingsTable(): string {
  const rows = [...Object.values(settings), ...Object.values(clientSettings)].map((one) => {
    const name = one.isSecret ? `\`${one.name}\` (secret)` : `\`${one.name}\``;
    return `| ${[name, one.fallback === undefined ? one.unset : `\`${one.fallback}\``, one.kind.expects, one.meaning].join(' | ')} |`;
  });
  return ['| Setting | Default | Takes | Meaning |', '|---|---|---|---|', ...rows].join('\n');
}
