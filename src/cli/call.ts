/** One request to a Sluice server, and every way it can go wrong as a value with one clear line. */
import type { ClientConfig } from '../config.js';
import { oneLine } from './terminal.js';

export interface Call {
  /** Absent: POST. */
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  /** What is sent, with its type. */
  readonly contentType?: 'application/json' | 'application/x-ndjson';
  readonly body?: string | Buffer;
  /** How long the server may take to answer. */
  readonly answerMs: number;
}

export type CallOutcome =
  /** Done: 202, or 200 for a GET. */
  | {
      readonly kind: 'accepted';
      readonly body: Readonly<Record<string, unknown>>;
      /** The same as it was written: parsing rounds whole numbers beyond 2^53. */
      readonly text: string;
    }
  /** The server said no, and accepted nothing. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly body: Readonly<Record<string, unknown>>;
      readonly retryAfterMs: number | undefined;
      readonly line: string;
    }
  /** No connection: nothing was sent. */
  | { readonly kind: 'unreachable'; readonly line: string }
  /** Sent, and no answer that could be understood: it may have been accepted. */
  | { readonly kind: 'unknown'; readonly line: string; readonly body: Readonly<Record<string, unknown>> };

const mostAnswerBytes = 64 * 1_048_576;
/** Errors from before the first byte of the request was written. */
const neverSent = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

export async function call(
  { url, apiKey }: ClientConfig,
  { method = 'POST', path, contentType, body, answerMs }: Call,
): Promise<CallOutcome> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (contentType !== undefined) headers['content-type'] = contentType;
  if (apiKey !== undefined) headers['authorization'] = `Bearer ${apiKey.reveal()}`;
  let status: number;
  let text: string;
  let retryAfter: string | undefined;
  let location: string | undefined;
  try {
    // Only here, so that help and wrong usage are answered at once.
    const { request } = await import('undici');
    const answer = await request(url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      headersTimeout: answerMs,
      bodyTimeout: answerMs,
    });
    status = answer.statusCode;
    retryAfter = [answer.headers['retry-after']].flat()[0];
    location = [answer.headers['location']].flat()[0];
    text = await readText(answer.body);
  } catch (error) {
    return failed(url, error, method);
  }
  const parsed = parseObject(text);
  const isDone = status === (method === 'GET' ? 200 : 202);
  if (isDone && parsed !== undefined) return { kind: 'accepted', body: parsed, text };
  if (status >= 200 && status < 300) {
    return {
      kind: 'unknown',
      line: `${url} answered ${status}, but not as a Sluice server does: is --url right?`,
      body: {},
    };
  }
  const problem = parsed ?? {};
  const line = refusal(url, status, problem, retryAfter, location);
  if (isUnknown(status, problem)) return { kind: 'unknown', line, body: problem };
  return { kind: 'refused', status, body: problem, retryAfterMs: retryAfterMs(retryAfter), line };
}

/** A 503 is a definite no unless it says otherwise; any other 5xx, of the server or a gateway, tells nothing of what was done. */
function isUnknown(status: number, problem: Readonly<Record<string, unknown>>): boolean {
  if (status !== 503) return status >= 500;
  const errors: readonly unknown[] = Array.isArray(problem['errors']) ? problem['errors'] : [];
  return typeof problem['id'] === 'string' || [problem, ...errors].some(saysUnknown);
}

function saysUnknown(problem: unknown): boolean {
  return (
    typeof problem === 'object' &&
    problem !== null &&
    'detail' in problem &&
    /^outcome unknown/i.test(String(problem.detail))
  );
}

function failed(url: string, error: unknown, method: 'GET' | 'POST'): CallOutcome {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason = error instanceof Error ? error.message || code : String(error);
  if (neverSent.has(code)) {
    const why =
      code === 'ECONNREFUSED'
        ? 'connection refused; does `sluice start` run there?'
        : oneLine(`${code}: ${reason}`);
    return { kind: 'unreachable', line: `cannot reach ${url}: ${why} (--url or SLUICE_URL says where)` };
  }
  const what =
    code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT'
      ? 'no answer in time'
      : oneLine(reason);
  return {
    kind: 'unknown',
    line: `the connection to ${url} failed: ${what}${method === 'GET' ? '' : '; it may or may not have been accepted'}`,
    body: {},
  };
}

function refusal(
  url: string,
  status: number,
  problem: Readonly<Record<string, unknown>>,
  retryAfter: string | undefined,
  location: string | undefined,
): string {
  if (status >= 300 && status < 400)
    return `${url} answered ${status}: set --url to ${oneLine(location ?? 'where it leads')}`;
  const { code, detail, title } = problem;
  if (typeof code !== 'string')
    return `${url} answered ${status}, but not as a Sluice server does: is --url right?`;
  const advice = status === 401 ? '; give a key with --api-key or SLUICE_API_KEY' : '';
  const when = retryAfter === undefined ? '' : `; try again in ${oneLine(retryAfter)} s`;
  return oneLine(`${status} ${code}: ${String(detail ?? title ?? '')}`) + advice + when;
}

/** RFC 9110, section 10.2.3: seconds, or a date. */
function retryAfterMs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > mostAnswerBytes) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
