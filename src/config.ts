/** Settings: the environment in, a frozen Config out, or one message with every fault. Nothing else reads `process.env`. */
import { keyCommand } from './config/api-keys.js';
import { isLoopback, type Kind, type QueueShare } from './config/kinds.js';
import { isServiceLink, type KnownName, nearestName } from './config/near-miss.js';
import { readSecretFile } from './config/secret-file.js';
import { clientSettings, laterSettings, type Setting, settings, type ValuesOf } from './config/settings.js';
import { Invalid } from './job/errors.js';

/** What a process does: everything, take jobs in, work on them, or record what happened to them. */
export type Role = 'start' | 'serve' | 'work' | 'record';
export type Environment = Readonly<Record<string, string | undefined>>;

/** All that a service is told. Times in ms, sizes in bytes; undefined where the README says what an unset one means. */
export interface Config extends Omit<ValuesOf<typeof settings>, 'apiKeys' | 'queues' | 'workerQueues'> {
  readonly apiKeys: NonNullable<ValuesOf<typeof settings>['apiKeys']>;
  readonly queues: readonly string[];
  /** Undefined: all known queues, each with `workerConcurrency`. */
  readonly workerQueues: readonly Required<QueueShareOf<number>>[] | undefined;
}
type QueueShareOf<Count> = Omit<QueueShare, 'concurrency'> & { readonly concurrency: Count };

/** All that a client command is told. */
export type ClientConfig = ValuesOf<typeof clientSettings>;

export function readEnvironment(): Environment {
  return process.env;
}

/**
 * Reads and checks every setting. An empty string counts as unset.
 * @throws Invalid  code `bad_settings`; the message lists all faults at once and shows no secret
 */
export function loadConfig(env: Environment, role: Role): Config {
  const faults: string[] = [];
  const values = readTable(settings, env, faults);
  faults.push(
    ...faultsOfNames(env, Object.values(settings), laterSettings),
    ...faultsBetween(values, role, faults),
  );
  if (faults.length > 0) throw badSettings(faults);
  const config = { ...(values as ValuesOf<typeof settings>) };
  return deepFreeze({
    ...config,
    apiKeys: config.apiKeys ?? [],
    queues: config.queues ?? [],
    workerQueues: config.workerQueues?.map(({ queue, concurrency }) => ({
      queue,
      concurrency: concurrency ?? config.workerConcurrency,
    })),
  });
}

/**
 * What `submit` and `batch` need; `given` comes from options and goes before the environment.
 * @throws Invalid  code `bad_settings`
 */
export function loadClientConfig(env: Environment, given: Partial<ClientConfig> = {}): ClientConfig {
  const faults = faultsOfNames(env, Object.values(clientSettings), new Set());
  const { url, apiKey } = clientSettings;
  const values = {
    url: given.url ?? read(url, env, faults),
    apiKey: given.apiKey ?? read(apiKey, env, faults),
  };
  if (faults.length > 0) throw badSettings(faults);
  return deepFreeze(values as ClientConfig);
}

type Read<Table> = { [Field in keyof ValuesOf<Table>]?: ValuesOf<Table>[Field] | undefined };

function readTable(table: typeof settings, env: Environment, faults: string[]): Read<typeof settings> {
  return Object.fromEntries(
    Object.entries(table).map(([field, setting]) => [field, read(setting, env, faults)]),
  );
}

/** The value of one setting; undefined when unset without a fallback, or at fault. */
function read(setting: Setting<unknown>, env: Environment, faults: string[]): unknown {
  const { name, kind, isSecret } = setting;
  const given = textOf(setting, env, faults);
  if (given === undefined) return undefined;
  const parsed = kind.parse(given.text);
  if ('value' in parsed) return parsed.value;
  const shown = isSecret ? `${given.from} (a secret, not shown)` : `${name}=${quoted(given.text)}`;
  const hint =
    isServiceLink(name, given.text) && name.endsWith('_PORT')
      ? '; Kubernetes sets this for a service of that name: put `enableServiceLinks: false` into the pod, or rename the service'
      : '';
  faults.push(`${shown}: ${parsed.fault}; expected ${plain(kind)}${hint}`);
  return undefined;
}

function textOf(
  { name, kind, fallback, isSecret }: Setting<unknown>,
  env: Environment,
  faults: string[],
): { readonly text: string; readonly from: string } | undefined {
  const text = env[name] || undefined;
  const path = isSecret ? env[`${name}_FILE`] || undefined : undefined;
  if (path === undefined)
    return text === undefined && fallback === undefined
      ? undefined
      : { text: text ?? fallback ?? '', from: name };
  if (text !== undefined) {
    faults.push(`${name} and ${name}_FILE are both set; expected one of them`);
    return undefined;
  }
  const file = readSecretFile(path);
  if ('value' in file) return { text: file.value, from: `${name}_FILE` };
  // Somebody may have put the secret itself where its path belongs.
  const isPathLike = /^[./~]/.test(path) || !(path.includes('://') || 'value' in kind.parse(path));
  const shown = isPathLike
    ? `${name}_FILE=${quoted(path)}`
    : `${name}_FILE (not shown, it looks like the secret itself)`;
  faults.push(
    `${shown}: the file ${file.fault}; expected the path of a file that holds the value of ${name}`,
  );
  return undefined;
}

function faultsOfNames(
  env: Environment,
  table: readonly Setting<unknown>[],
  later: ReadonlySet<string>,
): string[] {
  const known: KnownName[] = table.map(({ name, kind }) => ({
    name,
    wouldTake: (value) => 'value' in kind.parse(value),
  }));
  /** The value of a `_FILE` variable is a path and says nothing of the secret. */
  const knownFiles: KnownName[] = table
    .filter((one) => one.isSecret)
    .map(({ name }) => ({ name, wouldTake: () => false }));
  const ours = new Set(
    [...Object.values(settings), ...Object.values(clientSettings)].map(({ name }) => name),
  );
  const ourFiles = new Set(
    [...Object.values(settings), ...Object.values(clientSettings)]
      .filter((one) => one.isSecret)
      .map(({ name }) => `${name}_FILE`),
  );
  const faults: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (!value || ours.has(name) || ourFiles.has(name)) continue;
    if (later.has(name)) {
      faults.push(`${name}: this version of Sluice does not have this setting yet; unset it`);
      continue;
    }
    const base = /^(.+)_FILE$/.exec(name)?.[1];
    const near = base === undefined ? nearestName(name, value, known) : nearestName(base, '', knownFiles);
    if (near === undefined) continue;
    const meant = base === undefined ? near : `${near}_FILE`;
    faults.push(`${name}: Sluice has no such setting; did you mean ${meant}?`);
  }
  return faults;
}

/** Faults that no single value has; a value already at fault is not judged again. */
function faultsBetween(values: Read<typeof settings>, role: Role, soFar: readonly string[]): string[] {
  const faults: string[] = [];
  const { host, retryBaseMs, retryMaxMs, maxBodyBytes, maxBatchBytes } = values;
  const hasKeys =
    values.apiKeys !== undefined || soFar.some((fault) => fault.startsWith(settings.apiKeys.name));
  const takesJobs = role === 'start' || role === 'serve';
  const hasWorkers = role === 'start' || role === 'work';
  if (takesJobs && host !== undefined && !isLoopback(host) && !hasKeys) {
    faults.push(
      `HOST=${quoted(host)}: other machines could submit jobs without a key; expected API_KEYS beside it, or 127.0.0.1. ` +
        `This makes a key and its entry: ${keyCommand}`,
    );
  }
  if (retryBaseMs !== undefined && retryMaxMs !== undefined && retryMaxMs < retryBaseMs) {
    faults.push(
      `RETRY_MAX_MS=${quoted(String(retryMaxMs))}: too small; expected at least RETRY_BASE_MS, which is ${retryBaseMs}`,
    );
  }
  if (maxBodyBytes !== undefined && maxBatchBytes !== undefined && maxBatchBytes < maxBodyBytes) {
    faults.push(
      `MAX_BATCH_BYTES=${quoted(String(maxBatchBytes))}: too small; expected at least MAX_BODY_BYTES, which is ${maxBodyBytes}`,
    );
  }
  const hasSender =
    values.smtpFrom !== undefined || soFar.some((fault) => fault.startsWith(settings.smtpFrom.name));
  if (hasWorkers && values.smtpUrl !== undefined && !hasSender) {
    faults.push('SMTP_FROM: not set although SMTP_URL is; expected the sender of the mails');
  }
  const hasServer =
    values.smtpUrl !== undefined || soFar.some((fault) => fault.startsWith(settings.smtpUrl.name));
  if (role === 'start' && values.smtpFrom !== undefined && !hasServer) {
    faults.push(
      'SMTP_URL: not set although SMTP_FROM is; without it the mails that are accepted cannot be sent',
    );
  }
  const hasBroker =
    values.amqpUrls !== undefined || soFar.some((fault) => fault.startsWith(settings.amqpUrls.name));
  if (values.databaseUrl !== undefined && !hasBroker) {
    faults.push(
      'DATABASE_URL: set without AMQP_URL, but the built-in engine keeps everything in the one file of DATA_DIR; expected AMQP_URL beside it, or neither',
    );
  }
  return faults;
}

function badSettings(faults: readonly string[]): Invalid {
  const head = faults.length === 1 ? '1 setting is at fault:' : `${faults.length} settings are at fault:`;
  return new Invalid('bad_settings', [head, ...faults.map((fault) => `  ${fault}`)].join('\n'));
}

/**
 * Quoted as JSON, so that a space, a newline or a control character can be seen and does no harm on a terminal. A URL may have come
 * to the wrong setting: its password is not shown.
 */
function quoted(value: string): string {
  const text = value.replace(/(:\/\/[^\s/:]*:)[^\s/]*@/g, '$1***@');
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

function plain(kind: Kind<unknown>): string {
  return kind.expects.replaceAll('`', '');
}

/** Freezes plain objects and arrays all the way down; bytes and secrets are left as they are. */
function deepFreeze<Value>(value: Value): Value {
  if (
    Array.isArray(value) ||
    (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
  ) {
    for (const part of Object.values(value)) deepFreeze(part);
    Object.freeze(value);
  }
  return value;
}
