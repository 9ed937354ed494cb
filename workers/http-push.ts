/** `http.push`: calls an HTTP endpoint with the job, so that a worker can be written in any language. */
import type { LookupFunction } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { Agent, buildConnector } from 'undici';
import {
  DeadLetter,
  defineHandler,
  type Handler,
  type HandlerJob,
  RetryLater,
  Type,
} from '../src/handler/define.js';
import { Invalid } from '../src/job/errors.js';
import { type Answer, discard, excerptOf } from './answer.js';
import { follow, type Method, parseTarget } from './follow.js';
import { createPublicConnector } from './public-address.js';
import { retryAfterMs } from './retry-after.js';

export interface HttpPushSettings {
  /** Signs what is sent (Standard Webhooks): `whsec_` and base64, or base64 alone, of 24 bytes or more. */
  readonly secret?: string;
  readonly allowPrivate: boolean;
  /** The longest `Retry-After` that is honoured. */
  readonly retryMaxMs: number;
  /** Name resolution; the system's unless a test brings its own. */
  readonly lookup?: LookupFunction;
}

const CONNECTIONS_PER_ORIGIN = 64;
/** Standard Webhooks, "Signature scheme": 24 to 64 bytes. */
const LEAST_SECRET_BYTES = 24;

/** Hop-by-hop (RFC 9110, section 7.6.1), framing and addressing: HTTP's own. `job-*` and `webhook-*`: ours. */
const reservedHeaders = [
  ...[
    'connection',
    'content-length',
    'expect',
    'host',
    'keep-alive',
    'proxy-authenticate',
    'proxy-authorization',
  ],
  ...['proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'job-[^]*', 'webhook-[^]*'],
];
/** JSON Schema has no flag for it, so each letter is spelled in both cases. */
const anyCase = (names: readonly string[]): string =>
  names.join('|').replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);

const headerName = `^(?!(?:${anyCase(reservedHeaders)})$)[!#$%&'*+.^_\`|~0-9A-Za-z-]{1,128}$`;
const headerNameTest = new RegExp(headerName, 'u');

const HttpPushPayload = Type.Object(
  {
    url: Type.String({
      pattern: '^[hH][tT][tT][pP][sS]?://[^\\s/]',
      maxLength: 8_192,
      description: 'an http or https URL',
    }),
    method: Type.Optional(Type.Enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])),
    headers: Type.Optional(
      Type.Unsafe<Record<string, string>>({
        type: 'object',
        maxProperties: 100,
        propertyNames: {
          pattern: headerName,
          description: 'not a header name, or one that HTTP or Sluice sets itself',
        },
        additionalProperties: {
          type: 'string',
          maxLength: 8_192,
          pattern: '^[\\t\\x20-\\x7e\\x80-\\xff]*$',
          description: 'a header value without control characters',
        },
      }),
    ),
    /** Sent as it is when it is a string, as JSON otherwise. */
    body: Type.Optional(Type.Unknown()),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400_000 })),
  },
  {
    additionalProperties: false,
    if: { properties: { method: { enum: ['GET', 'HEAD'] } }, required: ['method'] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: { properties: { body: { not: {}, description: 'GET and HEAD carry none' } } },
  },
);

interface Push {
  readonly url: string;
  readonly method?: Method;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly timeoutMs?: number;
}

/** @throws Invalid  HTTP_PUSH_SECRET is malformed */
export function createHttpPush(settings: HttpPushSettings): Handler<Push, { status: number }> {
  const webhook = settings.secret === undefined ? undefined : new Webhook(checkedSecret(settings.secret));
  const lookup = settings.lookup === undefined ? {} : { lookup: settings.lookup };
  // One for the life of the process. undici unrefs idle sockets, so it keeps no process alive, and drops idle origins.
  const agent = new Agent({
    connections: CONNECTIONS_PER_ORIGIN,
    connect: settings.allowPrivate ? buildConnector(lookup) : createPublicConnector(settings.lookup),
  });

  return defineHandler<Push, { status: number }>({
    type: 'http.push',
    payload: HttpPushPayload,
    async run(job, context) {
      const { method = 'POST', timeoutMs } = job.payload;
      const url = parseTarget(job.payload.url);
      const body = bodyText(job.payload.body);
      const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
      const signal = timeout === undefined ? context.signal : AbortSignal.any([context.signal, timeout]);
      // The URL may hold a key in its path or query, so messages name the origin alone.
      const what = `${method} ${url.origin}`;

      let answer: Answer;
      try {
        const headers = { ...defaultHeaders(job.payload.body), ...lowerCase(job.payload.headers) };
        answer = await follow(
          { url, method, headers, body, signal },
          ownHeaders(job, webhook, body ?? ''),
          agent,
        );
      } catch (error) {
        context.signal.throwIfAborted();
        if (error instanceof DeadLetter) throw error;
        if (timeout?.aborted === true)
          throw new Error(`${what}: no answer within ${timeoutMs} ms`, { cause: error });
        if (hasCode(error, 'UND_ERR_INVALID_ARG'))
          throw new DeadLetter(`${what} cannot be sent: ${messageOf(error)}`, { cause: error });
        throw new Error(`${what} failed: ${messageOf(error)}`, { cause: error });
      }
      return await judge(answer, what, signal, settings.retryMaxMs);
    },
  });
}

/** 2xx is success; 408, 425, 429 and 5xx are worth another attempt; anything else will not get better by itself. */
async function judge(
  answer: Answer,
  what: string,
  signal: AbortSignal,
  retryMaxMs: number,
): Promise<{ status: number }> {
  const status = answer.statusCode;
  if (status >= 200 && status < 300) {
    await discard(answer, signal);
    return { status };
  }
  const said = `${what} answered ${status}`;
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    await discard(answer, signal);
    const waitMs = retryAfterMs(answer.headers['retry-after'], Date.now());
    if (waitMs === undefined) throw new Error(said);
    const delayMs = Math.min(waitMs, retryMaxMs);
    throw new RetryLater(delayMs, `${said} and asked for ${waitMs} ms, granted ${delayMs} ms`);
  }
  const excerpt = await excerptOf(answer, signal);
  throw new DeadLetter(excerpt === '' ? said : `${said}: ${excerpt}`);
}

function ownHeaders(job: HandlerJob, webhook: Webhook | undefined, body: string): Record<string, string> {
  const own = { 'job-id': job.id, 'job-attempt': String(job.attempt) };
  if (webhook === undefined) return own;
  const now = new Date();
  return {
    ...own,
    'webhook-id': job.id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': webhook.sign(job.id, now, body),
  };
}

function defaultHeaders(body: unknown): Record<string, string> {
  const always = { accept: '*/*', 'user-agent': 'sluice' };
  if (body === undefined) return always;
  return {
    ...always,
    'content-type': typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json',
  };
}

function bodyText(body: unknown): string | undefined {
  return body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
}

/** Checked again: a job can come to the broker past the HTTP door, and its schema. */
function lowerCase(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  const entries = Object.entries(headers);
  const bad = entries.find(([name]) => !headerNameTest.test(name));
  if (bad !== undefined)
    throw new DeadLetter(`header ${JSON.stringify(bad[0].slice(0, 80))} is not one that a job may set`);
  const lower = Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), value]));
  // `X-Key` and `x-key` are one header; sending either of the two would drop the other in silence.
  if (Object.keys(lower).length < entries.length)
    throw new DeadLetter('a header is there twice, its name in upper and in lower case: keep one');
  return lower;
}

function checkedSecret(secret: string): string {
  const base64 = secret.startsWith('whsec_') ? secret.slice('whsec_'.length) : secret;
  const bytes = Buffer.from(base64, 'base64');
  const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(base64) && bytes.toString('base64') === base64;
  if (isBase64 && bytes.length >= LEAST_SECRET_BYTES) return base64;
  throw new Invalid(
    'invalid_setting',
    `HTTP_PUSH_SECRET must be base64 of ${LEAST_SECRET_BYTES} bytes or more, with or without whsec_ before it, ` +
      `and ${isBase64 ? `holds ${bytes.length} bytes` : 'is not base64'}: make one with "openssl rand -base64 32"`,
  );
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** An AggregateError (every address of a name failed) has an empty message, its code says what happened. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message !== '' ? error.message : 'code' in error ? String(error.code) : error.name;
}
