/** One request and its answer: the address, the key, the time limit, and when it is sent again. */
import type { Problem } from '../api/contract.js';
import { SluiceConnectionError, SluiceHttpError } from './errors.js';
import { defaultRetry, type RetryPolicy, retryAfterMs, retryDelayMs } from './retry.js';
import { pause, within } from './time.js';

export interface ConnectionOptions {
  /** Where the server is, such as `http://127.0.0.1:8080`. In a browser `''` stands for the origin of the page. */
  readonly url: string | URL;
  /** Shown as `Authorization: Bearer <key>`. */
  readonly apiKey?: string | undefined;
  /** Instead of the global one. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** Default: 6 attempts, 250 ms and doubling, at most 60 s. */
  readonly retry?: Partial<RetryPolicy> | undefined;
  /** How long one attempt may take to be answered; default 60,000. */
  readonly requestTimeoutMs?: number | undefined;
}

/** What every call takes. */
export interface CallOptions {
  /** Ends the call, whatever it is doing; it throws the signal's reason. An order that was on its way may have been carried out. */
  readonly signal?: AbortSignal | undefined;
  /** Instead of the client's, for this call. */
  readonly retry?: Partial<RetryPolicy> | undefined;
}

export interface Call extends CallOptions {
  readonly method: 'GET' | 'POST' | 'PATCH';
  /** From the server's address on, its parts encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>> | undefined;
  readonly body?: Body | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * `always`: doing it twice is doing it once, so it is sent again after a lost answer, too. `if-refused`: only when the server has said
   * that it did nothing, or was never reached.
   */
  readonly repeat: 'always' | 'if-refused';
  /** Besides 429 and 503, statuses that are waited for when they carry `Retry-After`. */
  readonly alsoWaitFor?: number;
  /** Instead of `requestTimeoutMs`. */
  readonly timeoutMs?: number;
}

export interface Body {
  readonly type: 'application/json' | 'application/x-ndjson';
  readonly content: string | Uint8Array<ArrayBuffer>;
}

export interface Answer {
  readonly body: unknown;
  /** The same as it was written: parsing rounds whole numbers beyond 2^53. */
  readonly text: string;
}

export interface Requests {
  /**
   * @throws SluiceHttpError
   * @throws SluiceConnectionError
   */
  send(call: Call): Promise<Answer>;
  /** The body of the answer, which the caller knows. */
  ask<Known>(call: Call): Promise<Known>;
  /** The waits between attempts, for those who repeat more than one request. */
  delayMs(attempt: number, options: CallOptions): number | undefined;
  readonly requestTimeoutMs: number;
}

/** Time and chance, so that a test can play them. */
export interface Surroundings {
  readonly pause: typeof pause;
  readonly random: () => number;
  readonly now: () => number;
}

const real: Surroundings = { pause, random: Math.random, now: Date.now };

/** Errors of Node from before the first byte of the request was written. */
const neverSent = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** What a gateway says for a server that has not answered it. */
const gatewayFaults = new Set([502, 504]);

/** @throws TypeError  the address or the key cannot be used */
export function createRequests(options: ConnectionOptions, { pause, random, now } = real): Requests {
  const { fetch = globalThis.fetch.bind(globalThis), requestTimeoutMs = 60_000 } = options;
  const base = baseOf(options.url);
  const authorization = authorizationOf(options.apiKey);
  const policyOf = (more: Partial<RetryPolicy> | undefined): RetryPolicy => {
    return { ...defaultRetry, ...options.retry, ...more };
  };

  async function send(call: Call): Promise<Answer> {
    const request = requestOf(call);
    for (let attempt = 1; ; attempt++) {
      try {
        return await attemptOf(request, call);
      } catch (error) {
        const delayMs = isWorthAnother(error, call)
          ? retryDelayMs(attempt, policyOf(call.retry), retryAfterOf(error), random())
          : undefined;
        if (delayMs === undefined) throw error;
        await pause(delayMs, call.signal);
      }
    }
  }

  function requestOf({ method, path, query, body, headers }: Call): Sent {
    const url = new URL(base + path);
    for (const [name, value] of Object.entries(query ?? {}))
      if (value !== undefined) url.searchParams.set(name, String(value));
    // Made here, so that a header that cannot be sent is not taken for a fault of the connection.
    const all = new Headers({ accept: 'application/json', ...authorization, ...headers });
    if (body !== undefined) all.set('content-type', body.type);
    const init = { method, headers: all, redirect: 'manual', ...(body && { body: body.content }) } as const;
    return { url: url.href, init };
  }

  function attemptOf({ url, init }: Sent, { signal, timeoutMs = requestTimeoutMs }: Call): Promise<Answer> {
    const doubt = init.method === 'GET' ? '' : '; it may or may not have been done';
    const late = (): Error =>
      new SluiceConnectionError('no_answer', `${base} has not answered within ${timeoutMs} ms${doubt}`);
    return within(timeoutMs, late, signal, async (either) => {
      let response: Response;
      let text: string;
      try {
        response = await fetch(url, { ...init, signal: either });
        text = await response.text();
      } catch (error) {
        throw connectionError(base, error, doubt);
      }
      return answerOf(response, text, now());
    });
  }

  return {
    send,
    ask: async <Known>(call: Call) => (await send(call)).body as Known,
    delayMs: (attempt, { retry }) => retryDelayMs(attempt, policyOf(retry), undefined, random()),
    requestTimeoutMs,
  };
}

interface Sent {
  readonly url: string;
  readonly init: RequestInit;
}

function isWorthAnother(error: unknown, { repeat, alsoWaitFor }: Call): boolean {
  const isHarmless = repeat === 'always';
  if (error instanceof SluiceConnectionError) return isHarmless || error.code === 'unreachable';
  if (!(error instanceof SluiceHttpError)) return false;
  const { status, isOutcomeUnknown } = error;
  if (status === 429 || status === 503) return isHarmless || !isOutcomeUnknown;
  if (gatewayFaults.has(status)) return isHarmless;
  return status === alsoWaitFor && error.retryAfterMs !== undefined;
}

function retryAfterOf(error: unknown): number | undefined {
  return error instanceof SluiceHttpError ? error.retryAfterMs : undefined;
}

/** @throws SluiceHttpError */
function answerOf({ status, headers }: Response, text: string, nowMs: number): Answer {
  const body = parseObject(text);
  if (status >= 200 && status < 300 && body !== undefined) return { body, text };
  const problem: Readonly<Partial<Problem> & Record<string, unknown>> =
    typeof body?.['code'] === 'string' ? body : {};
  const { code = 'unexpected_answer', detail, title } = problem;
  throw new SluiceHttpError({
    status,
    code,
    detail: String(detail ?? title ?? strangeness(status, headers.get('location'))),
    retryAfterMs: retryAfterMs(headers.get('retry-after'), nowMs),
    problem,
    isOutcomeUnknown: isOutcomeUnknown(status, problem),
  });
}

/** Status 0 is what a browser shows of a redirect. */
function strangeness(status: number, location: string | null): string {
  if (status === 0 || (status >= 300 && status < 400))
    return `the address is another one: set the url to ${location ?? 'where it leads'}`;
  return 'this is not how a Sluice server answers: is the url right?';
}

/** A 503 is a definite no unless it says otherwise; any other 5xx, of the server or a gateway, tells nothing of what was done. */
function isOutcomeUnknown(status: number, problem: Readonly<Record<string, unknown>>): boolean {
  if (status !== 503) return status >= 500 || (status >= 200 && status < 300);
  const errors: readonly unknown[] = Array.isArray(problem['errors']) ? problem['errors'] : [];
  return typeof problem['id'] === 'string' || [problem, ...errors].some(saysUnknown);
}

function saysUnknown(problem: unknown): boolean {
  return /^outcome unknown/i.test(String((problem as { readonly detail?: unknown } | null)?.detail));
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

/** `fetch` says "fetch failed", and why in its cause. */
function connectionError(base: string, error: unknown, doubt: string): SluiceConnectionError {
  const reason: unknown = error instanceof Error ? (error.cause ?? error) : error;
  const code = String((reason as { readonly code?: unknown } | null)?.code ?? '');
  const why = reason instanceof Error ? reason.message || code : String(reason);
  return neverSent.has(code)
    ? new SluiceConnectionError('unreachable', `cannot reach ${base}: ${why || code}`, { cause: error })
    : new SluiceConnectionError('no_answer', `the connection to ${base} failed: ${why}${doubt}`, {
        cause: error,
      });
}

/** Without a slash at the end. */
function baseOf(url: string | URL): string {
  const page = (globalThis as { readonly location?: { readonly href: string } }).location?.href;
  const text = String(url);
  const origin = page === undefined ? undefined : new URL('/', page).href;
  if (!URL.canParse(text, origin)) throw new TypeError(`url must be the address of a Sluice server: ${text}`);
  const base = new URL(text, origin);
  if (!/^https?:$/.test(base.protocol)) throw new TypeError('url must begin with http:// or https://');
  if (base.username !== '' || base.password !== '')
    throw new TypeError('url must hold no user or password: a key goes into apiKey');
  if (base.search !== '' || base.hash !== '') throw new TypeError('url must hold no ? or #');
  return base.href.replace(/\/+$/, '');
}

/** The key is not repeated in the error. */
function authorizationOf(apiKey: string | undefined): Readonly<Record<string, string>> {
  if (apiKey === undefined) return {};
  if (!/^[\x21-\x7e]+$/.test(apiKey)) throw new TypeError('apiKey must be visible ASCII without spaces');
  return { authorization: `Bearer ${apiKey}` };
}
