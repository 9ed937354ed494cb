/** Sends one request and follows its redirects, each hop checked like the first. */
import { type Dispatcher, request } from 'undici';
import { DeadLetter } from '../src/handler/define.js';
import { type Answer, discard } from './answer.js';
import { httpCall } from './outgoing.js';

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Call {
  readonly url: URL;
  readonly method: Method;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
}

const MOST_REDIRECTS = 5;
const redirects = new Set([301, 302, 303, 307, 308]);
/** All that a redirect to another origin takes along: any other header of the caller may be a key meant for the first one alone. */
const harmlessHeaders = new Set(['accept', 'accept-language', 'content-type', 'user-agent']);
/**
 * The final answer, its body unread: the caller reads or discards it.
 * GET and HEAD follow every redirect; other methods only 307 and 308, which repeat method and body (RFC 9110, section 15.4).
 * @param ownHeaders  Sluice's own, sent on every hop
 * @throws DeadLetter  a redirect that must not or cannot be followed, a URL that cannot be called
 */
export async function follow(
  call: Call,
  ownHeaders: Readonly<Record<string, string>>,
  dispatcher: Dispatcher,
): Promise<Answer> {
  let { url, headers } = call;
  for (let hop = 0; ; hop++) {
    const given = { ...authorization(url), ...headers, ...ownHeaders };
    const target = withoutCredentials(url);
    const answer = await httpCall({ method: call.method, url, hop }, (traceHeaders) =>
      request(target, {
        dispatcher,
        method: call.method,
        // A job that brings a trace of its own keeps it whole.
        headers: 'traceparent' in given ? given : { ...traceHeaders, ...given },
        body: call.body ?? null,
        signal: call.signal,
        // The signal bounds the whole; these would cut off jobs that may take longer.
        headersTimeout: 0,
        bodyTimeout: 0,
      }),
    );
    if (!redirects.has(answer.statusCode)) return answer;

    await discard(answer, call.signal);
    const next = nextHop(call.method, url, answer);
    if (hop === MOST_REDIRECTS)
      throw new DeadLetter(`${call.url.origin} redirected more than ${MOST_REDIRECTS} times`);
    if (next.origin !== url.origin) {
      headers = Object.fromEntries(Object.entries(headers).filter(([name]) => harmlessHeaders.has(name)));
    }
    url = next;
  }
}

/** An absolute http or https URL. @throws DeadLetter */
export function parseTarget(text: string, base?: URL): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base?.href) : undefined;
  if (url === undefined)
    throw new DeadLetter(base ? `${base.origin} redirected to what is not a URL` : 'url is not a URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new DeadLetter(
      `${base ? `${base.origin} redirected to` : 'url has'} the scheme ${url.protocol} only http and https are called`,
    );
  }
  return url;
}

function nextHop(method: Method, from: URL, answer: Answer): URL {
  const status = answer.statusCode;
  const said = `${from.origin} answered ${status}`;
  if (method !== 'GET' && method !== 'HEAD' && status !== 307 && status !== 308) {
    throw new DeadLetter(
      `${said} to ${method}: only 307 and 308 carry the body on; put the final URL into the job`,
    );
  }
  const location = answer.headers['location'];
  if (typeof location !== 'string') throw new DeadLetter(`${said} without one Location`);
  const next = parseTarget(location, from);
  if (from.protocol === 'https:' && next.protocol === 'http:') {
    throw new DeadLetter(`${said}, a redirect from https down to http, which is not followed`);
  }
  return next;
}

function authorization(url: URL): Record<string, string> {
  if (url.username === '' && url.password === '') return {};
  const pair = `${decoded(url.username)}:${decoded(url.password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** Percent-decoded where that is possible; a lone % is taken as it stands. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function withoutCredentials(url: URL): URL {
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  return bare;
}
