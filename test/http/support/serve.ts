/** A real HTTP server on a free port over a scripted broker, with all it told its observer. */
import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { Writable } from 'node:stream';
import { Agent, request } from 'undici';
import type { Scope } from '../../../src/api/constants.js';
import type { Accepted, BatchAnswer, ErrorCode, Problem } from '../../../src/api/contract.js';
import type { ApiKey } from '../../../src/http/access.js';
import { createHttp, type Http, type HttpOptions, type Ingestion } from '../../../src/http/app.js';
import type { Desk } from '../../../src/http/desk.js';
import { createDocument } from '../../../src/http/openapi/document.js';
import type { JobTypes } from '../../../src/http/submission.js';
import type { JobEvent } from '../../../src/job/event.js';
import { createLog } from '../../../src/runtime/log.js';
import type { Store } from '../../../src/store/store.js';
import { createScriptedBroker, type ScriptedBroker } from '../../support/scripted-broker.js';
import { createDocumented, type OpenApi } from './documented.js';

export interface Observed {
  readonly accepted: string[];
  readonly refused: ErrorCode[];
  /** Ids that were accepted again after an unknown outcome. */
  readonly again: string[];
  /** Events of the desk. */
  readonly told: JobEvent[];
  /** Announcements of the desk. */
  announced: number;
  readonly requested: { readonly method: string; readonly route: string; readonly status: number }[];
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON; the caller says as what. */
  json<Body = Problem & Partial<BatchAnswer> & Partial<Accepted>>(): Body;
}

export interface Ask {
  readonly method?: 'GET' | 'POST' | 'HEAD' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer | AsyncIterable<Buffer | string>;
}

export interface Served {
  readonly http: Http;
  readonly broker: ScriptedBroker;
  readonly observed: Observed;
  readonly logged: () => string;
  /** Fails when the answer is not as the OpenAPI document says. */
  ask(ask: Ask): Promise<Reply>;
  /** `POST /v1/jobs` with a value as JSON. */
  submit(job: unknown, headers?: Record<string, string>): Promise<Reply>;
  /** `POST /v1/jobs/batch` of NDJSON lines. */
  submitLines(lines: readonly string[]): Promise<Reply>;
  raw(): Promise<Raw>;
  close(): Promise<void>;
}

/** Small limits, so that a test can pass each of them cheaply. */
export const limits = { maxBodyBytes: 4096, maxBatchBytes: 64 * 1024, maxBatchJobs: 20, publishWindow: 8 };

/** `echo` takes anything; `mail.send` needs `{"to": string}` and goes to `mail`. */
export const jobTypes: JobTypes = {
  types: ['echo', 'mail.send'],
  queues: ['default', 'mail'],
  get: (type) => ({ echo: { queue: 'default' }, 'mail.send': { queue: 'mail' } })[type],
  hasQueue: (name) => jobTypes.queues.includes(name),
  checkPayload(type, payload) {
    const isMail = typeof payload === 'object' && payload !== null && 'to' in payload;
    return type === 'mail.send' && !isMail ? "the payload must have 'to' at ''" : undefined;
  },
};

/** As a document describes this server. */
export const documented = createDocumented(
  createDocument(
    [
      { type: 'echo', queue: 'default', payload: {} },
      { type: 'mail.send', queue: 'mail', payload: { type: 'object', required: ['to'] } },
    ],
    true,
  ) as unknown as OpenApi,
);

export function apiKey(name: string, secret: string, scopes: readonly Scope[]): ApiKey {
  return { name, scopes, sha256: createHash('sha256').update(secret).digest() };
}

type Overrides = Partial<Omit<HttpOptions, 'ingestion' | 'desk'>> & {
  readonly ingestion?: Partial<Ingestion>;
  /** Opens the routes that need a store, and takes keys. */
  readonly store?: Desk['store'] & Pick<Store, 'idempotency'>;
  readonly desk?: Partial<Desk>;
};

const notHere = (): Promise<never> => Promise.reject(new Error('not in this test'));

/** Makes it without starting it. */
export function prepare({ ingestion, store, desk, ...overrides }: Overrides = {}): Omit<Served, 'close'> {
  const broker = createScriptedBroker();
  const observed: Observed = {
    accepted: [],
    refused: [],
    again: [],
    told: [],
    announced: 0,
    requested: [],
  };
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const http = createHttp({
    host: '127.0.0.1',
    port: 0,
    keys: [],
    health: { broker: () => broker.health() },
    metrics: {
      contentType: 'text/plain; version=0.0.4',
      render: () => Promise.resolve('sluice_broker_up 1\n'),
    },
    log: createLog('debug', { destination: sink }),
    ingestion: {
      broker,
      jobTypes,
      ...limits,
      ...(store && { idempotency: { keys: store.idempotency, ttlMs: 3_600_000 } }),
      ...ingestion,
    },
    ...(store && {
      desk: {
        store,
        broker,
        jobTypes,
        maxBodyBytes: limits.maxBodyBytes,
        recordPayload: false,
        queues: { names: jobTypes.queues, list: notHere, get: notHere, order: notHere },
        deadLetters: { list: notHere, start: notHere, view: notHere, views: notHere, stop: notHere },
        audit: notHere,
        announce: async () => void observed.announced++,
        tell: (event: JobEvent) => void observed.told.push(event),
        ...desk,
      },
    }),
    observer: {
      accepted(job, isAgain) {
        observed.accepted.push(job.id);
        if (isAgain) observed.again.push(job.id);
      },
      refused: (code) => observed.refused.push(code),
      requested: (method, route, status) => observed.requested.push({ method, route, status }),
    },
    ...overrides,
  });
  const ask = (given: Ask): Promise<Reply> => send(http.address.url, given);
  return {
    http,
    broker,
    observed,
    logged: () => lines.join(''),
    ask,
    submit: (job, headers) =>
      ask({ headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(job) }),
    submitLines: (rows) =>
      ask({
        path: '/v1/jobs/batch',
        headers: { 'content-type': 'application/x-ndjson' },
        body: rows.map((row) => `${row}\n`).join(''),
      }),
    raw: () => openRaw(http.address.port),
  };
}

export async function serve(overrides?: Overrides): Promise<Served> {
  const prepared = prepare(overrides);
  await prepared.http.start();
  return { ...prepared, close: () => prepared.http.stop() };
}

async function send(url: string, { method = 'POST', path = '/v1/jobs', headers, body }: Ask): Promise<Reply> {
  const dispatcher = new Agent({ pipelining: 0 });
  try {
    const reply = await request(`${url}${path}`, {
      method,
      dispatcher,
      ...(headers ? { headers } : {}),
      ...(body === undefined ? {} : { body: body as string }),
    });
    const text = await reply.body.text();
    documented.expectAnswer(method, path, { status: reply.statusCode, headers: reply.headers, text });
    return { status: reply.statusCode, headers: reply.headers, text, json: () => JSON.parse(text) };
  } finally {
    await dispatcher.destroy();
  }
}

/** A bare TCP connection, for what no HTTP client would send. */
export interface Raw {
  readonly socket: Socket;
  write(text: string | Buffer): void;
  /** What has come so far, as soon as it matches. Rejects when the connection ends before. */
  until(pattern: RegExp): Promise<string>;
  /** All that came until the server closed the connection. */
  untilClosed(): Promise<string>;
}

function openRaw(port: number): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    let look = (): void => {};
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      look();
    });
    const closed = new Promise<string>((settle) => socket.once('close', () => settle(text)));
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.on('error', () => {});
      resolve({
        socket,
        write: (data) => void socket.write(data),
        until: (pattern) =>
          new Promise((settle, fail) => {
            look = () => {
              if (pattern.test(text)) settle(text);
            };
            look();
            void closed.then(() => fail(new Error(`closed after: ${text}`)));
          }),
        untilClosed: () => closed,
      });
    });
  });
}
