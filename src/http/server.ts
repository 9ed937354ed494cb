/** The life of the HTTP server: listening, the limits that end slow and broken clients, and a stop that finishes what is in flight. */
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { SluiceError } from '../job/errors.js';
import type { Clock } from '../runtime/clock.js';
import { createLinkedList } from '../runtime/linked-list.js';
import type { Log } from '../runtime/log.js';
import type { Service } from '../runtime/service.js';
import { createGiveWay } from './give-way.js';
import { problemOf, Rejection } from './problem.js';

export interface ServerTimeouts {
  /** From the first byte of a request, or from connecting, to the end of its headers. */
  readonly headersMs: number;
  /** From the first byte of a request to the end of its body; streams included. */
  readonly requestMs: number;
  /** A connection on which nothing moves in either direction. */
  readonly idleMs: number;
  /** Between the requests of a connection. Longer than the usual 60 s of a load balancer, which must be the one to hang up. */
  readonly keepAliveMs: number;
  /** How long `stop` waits for requests in flight before it cuts their connections. */
  readonly graceMs: number;
}

export interface Address {
  readonly host: string;
  readonly port: number;
  /** `http://host:port`, without a slash at its end. */
  readonly url: string;
}

export interface Server extends Service {
  /** Where it listens. Throws before `start` has resolved. */
  readonly address: Address;
  readonly isStopping: boolean;
}

export interface ServerOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly timeouts: ServerTimeouts;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of requests too broken, or too slow, to reach the handler. */
  readonly broken: (status: number) => void;
}

const MAX_HEADER_BYTES = 16 * 1024;
/** Node's 511 is less than a burst of clients: what finds no place is asked again after 1, 3 and 7 s. The kernel caps it (somaxconn). */
const MOST_UNACCEPTED = 4096;
/** A client that sent garbage has so long to read why, before its connection is cut. */
const LAST_WORDS_MS = 1000;

/** @throws SluiceError listen_failed  from `start`: the address is taken or not ours */
export function createHttpServer(options: ServerOptions, handle: RequestListener): Server {
  const { host, port, timeouts, clock, log, broken } = options;
  const giveWay = createGiveWay();
  const inFlight = createLinkedList<ServerResponse>();
  let idle = (): void => {};
  let isStopping = false;
  let started: Promise<void> | undefined;
  let stopped: Promise<void> | undefined;

  const server = createServer({
    headersTimeout: timeouts.headersMs,
    requestTimeout: timeouts.requestMs,
    keepAliveTimeout: timeouts.keepAliveMs,
    connectionsCheckingInterval: Math.min(1000, timeouts.headersMs),
    maxHeaderSize: MAX_HEADER_BYTES,
    // Checked by the onion, which answers with a problem where Node would send a bare 400.
    requireHostHeader: false,
    noDelay: true,
  });
  server.timeout = timeouts.idleMs;

  const listener: RequestListener = (req, res) => {
    const link = inFlight.add(res);
    res.once('close', () => {
      inFlight.remove(link);
      if (inFlight.size === 0) idle();
    });
    if (isStopping) res.setHeader('Connection', 'close');
    giveWay.begin(() => {
      if (!res.closed) handle(req, res);
    });
  };
  server.on('connection', () => giveWay.arrived());
  server.maxHeadersCount = 0; // Their size is bounded; beyond a count Node would drop the rest in silence.
  server.on('request', listener);
  // Who asks before sending a large body is told by the route whether to send it.
  server.on('checkContinue', listener);
  server.on('checkExpectation', listener);

  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const hasAnswer = inFlight.values().some((res) => res.socket === socket && res.headersSent);
    if (!(socket instanceof Socket) || !socket.writable || error.code === 'ECONNRESET' || hasAnswer) {
      socket.destroy();
      return;
    }
    const { status, text } = lastWords(error);
    broken(status);
    socket.end(text);
    clock.after(LAST_WORDS_MS, () => socket.destroy());
  });

  function listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => {
        const reason = error.code === 'EADDRINUSE' ? 'the port is in use, choose another' : error.message;
        const where = `${host}:${port}`;
        reject(new SluiceError('listen_failed', `cannot listen on ${where}: ${reason}`, { cause: error }));
      };
      server.once('error', failed);
      server.listen({ port, host, backlog: MOST_UNACCEPTED }, () => {
        server.off('error', failed);
        server.on('error', (error) => log.error({ err: error }, 'the HTTP server has failed'));
        resolve();
      });
    });
  }

  async function finish(): Promise<void> {
    isStopping = true;
    // A start under way ends first; when it fails there is nothing to stop.
    await started?.catch(() => {});
    if (!server.listening) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const res of inFlight.values()) {
      if (!res.headersSent) res.setHeader('Connection', 'close');
    }
    if (inFlight.size > 0) await untilIdle();
    server.closeAllConnections();
    await closed;
  }

  async function untilIdle(): Promise<void> {
    let cancel = (): void => {};
    await new Promise<void>((resolve) => {
      idle = resolve;
      cancel = clock.after(timeouts.graceMs, () => {
        log.warn({ requests: inFlight.size }, 'requests still in flight are cut off');
        resolve();
      });
    });
    cancel();
  }

  return {
    start() {
      if (isStopping)
        return Promise.reject(new SluiceError('stopped', 'a stopped HTTP server does not start again'));
      started ??= listen();
      return started;
    },
    stop() {
      stopped ??= finish();
      return stopped;
    },
    get isStopping() {
      return isStopping;
    },
    get address() {
      const bound = server.address();
      if (bound === null || typeof bound === 'string')
        throw new SluiceError('not_listening', 'start the HTTP server first');
      const name = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
      return { host: bound.address, port: bound.port, url: `http://${name}:${bound.port}` };
    },
  };
}

/** The answer to what Node's parser gave up on, written by hand because there is no response object to write it with. */
function lastWords(error: NodeJS.ErrnoException): { readonly status: number; readonly text: string } {
  const { status, problem } = problemOf(rejectionOf(error));
  const body = JSON.stringify(problem);
  const text =
    `HTTP/1.1 ${status} ${problem.title}\r\nContent-Type: application/problem+json\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;
  return { status, text };
}

function rejectionOf(error: NodeJS.ErrnoException): Rejection {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new Rejection('request_timeout', 'the request was not complete in time');
  }
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    return new Rejection('invalid_request', `the headers are larger than ${MAX_HEADER_BYTES} bytes`);
  }
  return new Rejection('invalid_request', 'this is not a well-formed HTTP/1.1 request');
}
