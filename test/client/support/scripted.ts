/** A server that answers as the test says, behind a `fetch`, and time that passes at once. */
import { type ConnectionOptions, createRequests, type Requests } from '../../../src/client/requests.js';

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

/** What the server does: answers, breaks the connection, or never answers. */
export type Reply =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> }
  | { readonly fails: string; readonly cause?: Error & { code?: string } }
  | 'silence';

export interface Scripted {
  readonly requests: Requests;
  readonly seen: Seen[];
  /** The pauses that were taken, in ms. */
  readonly pauses: number[];
}

export const refused = (code: string, status = 503, more: object = {}): Reply => ({
  status,
  body: { status, code, detail: 'so it is', ...more },
});

export const unreachable: Reply = {
  fails: 'fetch failed',
  cause: Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
};
export const broken: Reply = {
  fails: 'fetch failed',
  cause: Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }),
};

/** @param random  of the waits; 0: none but those the server asks for */
export function scripted(
  reply: (seen: Seen, index: number) => Reply,
  options: Partial<ConnectionOptions> & { readonly random?: number; readonly now?: number } = {},
): Scripted {
  const seen: Seen[] = [];
  const pauses: number[] = [];
  const fetch = async (input: unknown, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(String(input));
    const { method = 'GET', body, signal } = init;
    const text = typeof body === 'string' ? body : '';
    seen.push({ method, path: url.pathname + url.search, headers: new Headers(init.headers), body: text });
    const answer = reply(seen.at(-1) as Seen, seen.length - 1);
    if (answer === 'silence') {
      return new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    }
    if ('fails' in answer) throw new TypeError(answer.fails, { cause: answer.cause });
    const content = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {});
    return new Response(content, {
      status: answer.status,
      ...(answer.headers && { headers: answer.headers }),
    });
  };
  const { random = 0, now = 0, ...given } = options;
  const requests = createRequests(
    { url: 'http://sluice.test', fetch: fetch as typeof globalThis.fetch, ...given },
    {
      pause: async (ms, signal) => {
        pauses.push(ms);
        signal?.throwIfAborted();
      },
      random: () => random,
      now: () => now,
    },
  );
  return { requests, seen, pauses };
}

export async function failureOf<Kind extends Error>(work: Promise<unknown>): Promise<Kind> {
  try {
    await work;
  } catch (error) {
    return error as Kind;
  }
  throw new Error('it did not fail');
}
