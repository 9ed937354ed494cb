/**
 * Keeps one AMQP connection alive: connects, lets its owner set it up, waits for its end, and begins again. One loop does it
 * all in sequence, so an event of an old connection can never act on a new one. amqplib's own recovery is not used: it lost
 * connections that died during set-up.
 */
import amqp, { type ChannelModel } from 'amqplib';
import { Invalid } from '../../job/errors.js';
import { type Clock, sleep } from '../../runtime/clock.js';
import type { Log } from '../../runtime/log.js';
import type { Service } from '../../runtime/service.js';
import { socketOf, takeOverWire } from './wire.js';

export interface ConnectionOptions {
  /** Shown in the broker's list of connections. */
  readonly name: string;
  /** AMQP URLs of the nodes of one cluster, tried in turn. */
  readonly urls: readonly string[];
  readonly log: Log;
  readonly clock: Clock;
  readonly random: () => number;
  /** Makes a fresh connection usable; the connection counts as up once it resolves. */
  setUp(model: ChannelModel): Promise<void>;
  /** The connection that `setUp` was called with is gone. */
  tearDown(): void;
  blocked?(isBlocked: boolean): void;
}

export interface Connection extends Service {
  /** The connection, while it is up. */
  current(): ChannelModel | undefined;
  reconnects(): number;
  /** Closes the connection so that it is made anew, for a state that only a fresh set-up mends. */
  renew(reason: string): void;
}

const CONNECT_TIMEOUT_MS = 10_000;
const SET_UP_TIMEOUT_MS = 30_000;
/** `close()` never settles against a silent peer, so it is given this long. */
const CLOSE_TIMEOUT_MS = 2_000;
/** How long `start` waits before it lets the rest start without a broker. */
const START_PATIENCE_MS = 5_000;
const BACKOFF_BASE_MS = 200;
const BACKOFF_MAX_MS = 5_000;
const HEARTBEAT_S = 30;

export function createConnection(options: ConnectionOptions): Connection {
  const { name, urls, log, clock, random } = options;
  const stopping = new AbortController();
  let loop: Promise<void> | undefined;
  let current: ChannelModel | undefined;
  let connections = 0;

  /** One life of the connection, from connect to close. */
  async function live(url: string, cameUp: () => void): Promise<void> {
    const host = new URL(url).host;
    const model = await connect(url, name);
    const closed = new Promise<void>((resolve) => {
      model.once('close', () => resolve());
      socketOf(model).once('close', () => resolve());
    });
    let lastError: unknown;
    model.on('error', (error) => {
      lastError = error;
    });
    model.on('handler-error', (error: Error) => log.error({ err: error }, 'a broker callback threw'));
    model.on('blocked', (reason: string) => {
      log.warn({ host, reason }, 'the broker holds back publishes');
      options.blocked?.(true);
    });
    model.on('unblocked', () => {
      log.info({ host }, 'the broker takes publishes again');
      options.blocked?.(false);
    });
    const abandon = (): void => void closeWithin(model, clock);
    stopping.signal.addEventListener('abort', abandon, { once: true });
    try {
      await within(
        SET_UP_TIMEOUT_MS,
        clock,
        'setting up the connection',
        Promise.race([
          options.setUp(model),
          closed.then(() =>
            Promise.reject(lastError ?? new Error('the connection was closed during set-up')),
          ),
        ]),
      );
      if (stopping.signal.aborted) return;
      current = model;
      connections += 1;
      log.info({ host, connection: name }, 'connected to the broker');
      cameUp();
      await closed;
      if (!stopping.signal.aborted) {
        log.warn(
          { host, connection: name, reason: messageOf(lastError) },
          'lost the connection to the broker',
        );
      }
    } finally {
      current = undefined;
      stopping.signal.removeEventListener('abort', abandon);
      options.blocked?.(false);
      options.tearDown();
      await closeWithin(model, clock);
    }
  }

  async function run(firstEnd: (error: unknown) => void, cameUp: () => void): Promise<void> {
    let failures = 0;
    for (let turn = 0; !stopping.signal.aborted; turn++) {
      const url = urls[turn % urls.length] as string;
      try {
        await live(url, () => {
          failures = 0;
          cameUp();
        });
      } catch (cause) {
        const error = explain(cause, url);
        if (!stopping.signal.aborted)
          log.warn({ connection: name, reason: error.message }, 'no connection to the broker');
        firstEnd(error);
      }
      const delayMs = random() * Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** Math.min(failures++, 30));
      await sleep(clock, delayMs, stopping.signal);
    }
  }

  return {
    start() {
      if (loop !== undefined || stopping.signal.aborted) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const cancelPatience = clock.after(START_PATIENCE_MS, resolve);
        loop = run(
          (error) => {
            if (!(error instanceof Invalid)) return;
            cancelPatience();
            reject(error);
          },
          () => {
            cancelPatience();
            resolve();
          },
        );
      });
    },
    async stop() {
      stopping.abort();
      await loop;
    },
    current: () => current,
    reconnects: () => Math.max(0, connections - 1),
    renew(reason) {
      if (current === undefined) return;
      log.warn({ connection: name, reason }, 'making the connection anew');
      void closeWithin(current, clock);
    },
  };
}

async function connect(url: string, name: string): Promise<ChannelModel> {
  const withHeartbeat = new URL(url);
  if (!withHeartbeat.searchParams.has('heartbeat'))
    withHeartbeat.searchParams.set('heartbeat', String(HEARTBEAT_S));
  const socketOptions = {
    // Without it small frames wait some 40 ms for Nagle's algorithm against delayed acknowledgements.
    noDelay: true,
    keepAlive: true,
    timeout: CONNECT_TIMEOUT_MS,
    clientProperties: { connection_name: `sluice ${name}` },
  };
  const model = await amqp.connect(withHeartbeat.href, socketOptions);
  takeOverWire(model);
  return model;
}

async function closeWithin(model: ChannelModel, clock: Clock): Promise<void> {
  const limit = new AbortController();
  const closing = Promise.resolve()
    .then(() => model.close()) // Throws at once where it is closed already.
    .catch(() => {});
  await Promise.race([closing, sleep(clock, CLOSE_TIMEOUT_MS, limit.signal)]);
  limit.abort();
  // With an error, for amqplib does not hear of a mere `destroy`: its heartbeat would go on, and its channels would stay open.
  socketOf(model).destroy(new Error('the broker did not answer the closing of the connection'));
}

async function within<T>(ms: number, clock: Clock, what: string, work: Promise<T>): Promise<T> {
  let cancel = (): void => {};
  const late = new Promise<never>((_, reject) => {
    cancel = clock.after(ms, () => reject(new Error(`${what} took longer than ${ms} ms`)));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel();
  }
}

/** What no waiting mends becomes Invalid, with what to do; the URL's password is never shown. */
function explain(cause: unknown, url: string): Error {
  if (cause instanceof Invalid) return cause;
  const { host, username, pathname } = new URL(url);
  const message = messageOf(cause);
  if (message.includes('ACCESS-REFUSED') || message.includes('ACCESS_REFUSED')) {
    return new Invalid(
      'broker_refused',
      `${host} refuses the user '${username || 'guest'}': mend user and password in the AMQP URL (${message})`,
      { cause },
    );
  }
  // amqplib does not show the broker's 530 NOT_ALLOWED here, only that it closed instead of opening.
  if (message.includes('Expected ConnectionOpenOk')) {
    return new Invalid(
      'broker_refused',
      `${host} has no virtual host '${pathname.slice(1) || '/'}' for the user '${username || 'guest'}': mend the path of the AMQP URL`,
      { cause },
    );
  }
  return new Error(`${host}: ${message}`, { cause });
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : 'closed by the broker';
}
