/** What came back of a request: the body of an answer, or the error that it stands for. */
import type { Problem } from '../api/contract.js';
import { SluiceConnectionError, SluiceHttpError } from './errors.js';
import { retryAfterMs } from './retry.js';

export interface Answer {
  readonly body: unknown;
  /** The same as it was written: parsing rounds whole numbers beyond 2^53. */
  readonly text: string;
}

/** Errors of Node from before the first byte of the request was written. */
const neverSent = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** @throws SluiceHttpError  a refusal, or no answer of a Sluice server */
export function answerOf({ status, headers }: Response, text: string, nowMs: number): Answer {
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

/** What `fetch` has thrown: it says "fetch failed", and why in its cause. `doubt` is added where it may have been done. */
export function connectionError(base: string, error: unknown, doubt: string): SluiceConnectionError {
  const reason: unknown = error instanceof Error ? (error.cause ?? error) : error;
  const code = String((reason as { readonly code?: unknown } | null)?.code ?? '');
  const why = reason instanceof Error ? reason.message || code : String(reason);
  return neverSent.has(code)
    ? new SluiceConnectionError('unreachable', `cannot reach ${base}: ${why || code}`, { cause: error })
    : new SluiceConnectionError('no_answer', `the connection to ${base} failed: ${why}${doubt}`, {
        cause: error,
      });
}
