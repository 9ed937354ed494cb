/** One request and its answer: the address, the key, the time limit, and when it is sent again. */
import { type Answer, answerOf, connectionError } from './answers.js';
import { SluiceConnectionError, SluiceHttpError } from './errors.js';
import { defaultRetry, type RetryPolicy, retryDelayMs } from './retry.js';
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
  readonly surroundings: Surroundings;
}

/** Time and chance, so that a test can play them. */
export interface Surroundings {
  readonly pause: typeof pause;
  readonly random: () => number;
  readonly now: () => number;
}

const real: Surroundings = { pause, random: Math.random, now: Date.now };

/** What a gateway says for a server that has not answered it. */
const gatewayFaults = new Set([502, 504]);

/** @throws TypeError  the address or the key cannot be used */
export function createRequests(options: ConnectionOptions, surroundings = real): Requests {
  const { pause, random, now } = surroundings;
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
    surroundings,
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
