/** Private RabbitMQ nodes for tests: own ports, own folder, own epmd; gone when the test run is gone. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, constants, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { createGuard, type Guard } from './guard.js';

const run = promisify(execFile);

export interface RabbitNode {
  readonly url: string;
  readonly port: number;
  /**
   * `kill -9` of the broker: sockets are reset, nothing is flushed. Resolves when the process is gone.
   */
  kill(): Promise<void>;
  /**
   * Makes quorum queues survive a kill from now on. RabbitMQ writes its register of them (Ra's `names.dets`) only about
   * a second after a declaration; killed before, a node starts such a queue anew, without its confirmed messages.
   */
  settle(): Promise<void>;
  /** An orderly stop. */
  stop(): Promise<void>;
  /** Starts it again on the same port with the same data; kills it before if it runs. Resolves when it can be used. */
  restart(): Promise<void>;
  /** An Erlang expression and its value, as the node prints it. */
  evaluate(expression: string): Promise<string>;
  /** A second of CPU for each call: prefer `evaluate`. @returns what the command printed on stdout */
  rabbitmqctl(...args: string[]): Promise<string>;
  /** Runs a program that finds this node's command line tools on its PATH. @returns what it printed on stdout */
  runBeside(file: string, args: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>;
  /** Raises or clears the memory alarm, which blocks every connection that publishes. */
  setMemoryAlarm(isRaised: boolean): Promise<void>;
  /** The broker closes every connection with 320 CONNECTION_FORCED. */
  closeAllConnections(): Promise<void>;
  /** Kills it and deletes its data. Works twice. */
  remove(): Promise<void>;
}

export interface NodeOptions {
  /** Lines of rabbitmq.conf, such as `{ consumer_timeout: '3000' }`. */
  readonly config?: Readonly<Record<string, string>>;
  /** The text of advanced.config; goes before `deadLetterTimeoutMs`. */
  readonly advancedConfig?: string;
  /**
   * After a kill a queue that dead-letters at least once may wait this long for confirms that were lost, and holds back up to all
   * its messages meanwhile; RabbitMQ's default is 180,000.
   */
  readonly deadLetterTimeoutMs?: number;
  /** Such as `rabbitmq_prometheus`; what they listen on is for `config` to say. */
  readonly plugins?: readonly string[];
}

/** The folders where packages put the server's own scripts, which run as any user, unlike Debian's /usr/sbin wrappers. */
const usualFolders = ['/usr/lib/rabbitmq/bin', '/opt/homebrew/sbin', '/usr/local/sbin'];

/** The folder of an installed `rabbitmq-server`, or undefined. */
export function findRabbitmq(): string | undefined {
  const folders = [...usualFolders, ...(process.env['PATH'] ?? '').split(delimiter)];
  return folders.find((folder) => {
    try {
      accessSync(join(folder, 'rabbitmq-server'), constants.X_OK);
      return !folder.startsWith('/usr/sbin');
    } catch {
      return false;
    }
  });
}

/** Starts a node and resolves when it accepts connections. `remove` it in `after`; forgotten ones end with this process. */
export async function startNode(options: NodeOptions = {}): Promise<RabbitNode> {
  const bin = findRabbitmq();
  if (bin === undefined) throw new Error('no rabbitmq-server found: install it, or set TEST_AMQP_URL');
  const folder = await mkdtemp(join(tmpdir(), 'sluice-rabbit-'));
  const guard = createGuard(folder);
  try {
    return await createNode(bin, folder, guard, options);
  } catch (error) {
    await guard.release();
    throw error;
  }
}

async function createNode(
  bin: string,
  folder: string,
  guard: Guard,
  options: NodeOptions,
): Promise<RabbitNode> {
  const [port, distPort, epmdPort] = await Promise.all([freePort(), freePort(), freePort()]);
  const env = await prepare(folder, { port, distPort, epmdPort }, options);
  // Started by us, else the node starts one that outlives it in a session of its own.
  const epmd = spawn('epmd', [], { env, detached: true, stdio: 'ignore' });
  await new Promise<void>((resolve, reject) => {
    epmd.once('spawn', resolve);
    epmd.once('error', (cause) =>
      reject(new Error('epmd, a part of Erlang, must be on the PATH', { cause })),
    );
  });
  epmd.unref();

  let server: ChildProcess | undefined;
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    const ending = server;
    if (ending === undefined || ending.pid === undefined) return;
    ending.ref();
    (ending.stdout as Socket).ref();
    // 'close' comes when the whole group has let go of the pipe: the beam is a child of the script that we started.
    const closed = new Promise<void>((resolve) => ending.once('close', () => resolve()));
    server = undefined;
    if (signal === 'SIGKILL') process.kill(-ending.pid, signal);
    else process.kill(ending.pid, signal);
    await closed;
  };
  const boot = async (): Promise<void> => {
    await end('SIGKILL');
    const booting = spawn(join(bin, 'rabbitmq-server'), [], {
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    guard.watch([epmd.pid, booting.pid].filter((pid) => pid !== undefined));
    await booted(booting, folder);
    server = booting;
  };
  // `rabbitmqctl eval` would start a virtual machine for each.
  const call = async (expression: string, triesLeft = 3): Promise<string> => {
    const cookie = await readFile(join(folder, '.erlang.cookie'), 'utf8');
    const asking = run('erl_call', ['-n', String(env['RABBITMQ_NODENAME']), '-c', cookie.trim(), '-e'], {
      env,
    });
    asking.child.stdin?.end(`${expression}\n`);
    try {
      return (await asking).stdout;
    } catch (error) {
      // Nothing was evaluated: a busy machine can let a handshake between two nodes take too long.
      if (triesLeft <= 1 || !String(error).includes('failed to connect')) throw error;
      return call(expression, triesLeft - 1);
    }
  };
  const evaluate = async (expression: string): Promise<string> => {
    const stdout = await call(expression);
    const value = /^\{ok, ([\s\S]*)\}\s*$/.exec(stdout)?.[1];
    if (value === undefined) throw new Error(`the broker did not evaluate ${expression}: ${stdout}`);
    return value;
  };
  const rabbitmqctl = async (...args: string[]): Promise<string> =>
    (await run(join(bin, 'rabbitmqctl'), ['-q', ...args], { env })).stdout;

  const runBeside: RabbitNode['runBeside'] = async (file, args, more = {}) => {
    const path = [bin, env['PATH']].join(delimiter);
    return (await run(file, [...args], { env: { ...env, ...more, PATH: path } })).stdout;
  };

  const settle = async (): Promise<void> =>
    void (await evaluate('[ok = dets:sync(Table) || Table <- dets:all()].'));

  await boot();
  let removed: Promise<void> | undefined;
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    port,
    kill: () => end('SIGKILL'),
    settle,
    stop: () => end('SIGTERM'),
    restart: boot,
    rabbitmqctl,
    evaluate,
    runBeside,
    async setMemoryAlarm(isRaised) {
      await evaluate(`vm_memory_monitor:set_vm_memory_high_watermark(${isRaised ? '0.0000001' : '0.4'}).`);
      // The call returns before the node has looked at its memory.
      await eventually(async () => ((await evaluate('rabbit_alarm:get_alarms().')) !== '[]') === isRaised);
    },
    closeAllConnections: async () =>
      void (await evaluate(
        'rabbit_networking:close_connections(rabbit_networking:connections(), "asked by a test").',
      )),
    remove: () => {
      removed ??= end('SIGKILL').then(() => guard.release());
      return removed;
    },
  };
}

interface Ports {
  readonly port: number;
  readonly distPort: number;
  readonly epmdPort: number;
}

async function prepare(folder: string, ports: Ports, options: NodeOptions): Promise<NodeJS.ProcessEnv> {
  await Promise.all([mkdir(join(folder, 'log')), mkdir(join(folder, 'mnesia'))]);
  const config = {
    'listeners.tcp.default': `127.0.0.1:${ports.port}`,
    'disk_free_limit.absolute': '50MB',
    'log.file.level': 'info',
    ...options.config,
  };
  const lines = Object.entries(config).map(([key, value]) => `${key} = ${value}\n`);
  await writeFile(join(folder, 'rabbitmq.conf'), lines.join(''));
  await writeFile(join(folder, 'enabled_plugins'), `[${(options.plugins ?? []).join(',')}].\n`);
  const settleMs = options.deadLetterTimeoutMs ?? 180_000;
  await writeFile(
    join(folder, 'advanced.config'),
    options.advancedConfig ?? `[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, ${settleMs}}]}].\n`,
  );
  return {
    PATH: process.env['PATH'],
    LANG: 'C.UTF-8',
    HOME: folder, // holds the Erlang cookie
    ERL_EPMD_PORT: String(ports.epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `sluice-${randomBytes(6).toString('hex')}@localhost`,
    RABBITMQ_DIST_PORT: String(ports.distPort),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'none.conf'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    // Schedulers that spin while idle take the CPU from what is tested.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}',
  };
}

/** The server prints this line after its listeners are open. */
const readyLine = /Starting broker\.\.\.[\s\S]*completed with/;

function booted(server: ChildProcess, folder: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let printed = '';
    const fail = (cause?: Error): void =>
      reject(new Error(`the broker did not start:\n${printed}\n${logTail(folder)}`, { cause }));
    const hear = (chunk: string): void => {
      printed += chunk;
      if (!readyLine.test(printed)) return;
      server.stdout?.off('data', hear);
      server.stdout?.resume(); // a full pipe would stop the broker
      server.off('error', fail);
      server.off('close', fail);
      (server.stdout as Socket).unref();
      server.unref();
      resolve();
    };
    server.stdout?.setEncoding('utf8').on('data', hear);
    server.once('error', fail);
    server.once('close', () => fail());
  });
}

function logTail(folder: string): string {
  try {
    return readFileSync(join(folder, 'log', 'rabbitmq.log'), 'utf8').slice(-4000);
  } catch {
    return '(no log)';
  }
}

let shared: Promise<RabbitNode> | undefined;

/** The broker for tests that do it no harm: TEST_AMQP_URL, else one node for the whole run, which ends with the process. */
export async function sharedNode(): Promise<{ readonly url: string }> {
  const url = process.env['TEST_AMQP_URL'];
  if (url) return { url };
  shared ??= startNode();
  return shared;
}
