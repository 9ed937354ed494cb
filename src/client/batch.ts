/**
 * Many jobs: cut into requests of a bounded size, because no browser streams a request, and because a request is what is sent again.
 * Each item has a key, so what was accepted the first time is not accepted twice.
 */
import type { BatchAnswer, ErrorCode } from '../api/contract.js';
import { SluiceHttpError } from './errors.js';
import type { JobOptions } from './jobs.js';
import { createKey } from './key.js';
import type { CallOptions, Requests } from './requests.js';

/** One job of a batch. */
export interface BatchItem<Type extends string = string, Payload = unknown> extends JobOptions {
  readonly type: Type;
  readonly payload: Payload;
  /** Your own; else each item has a new one. */
  readonly idempotencyKey?: string | undefined;
}

/** What became of one item; `index` counts from 0. */
export type BatchResult =
  | { readonly index: number; readonly id: string; readonly error?: undefined }
  | {
      readonly index: number;
      readonly id: null;
      /** `broker_unavailable` with "outcome unknown" in it: it may be accepted; the same item with its own key can be sent again. */
      readonly error: Refusal;
    };

export interface BatchOptions extends CallOptions {
  /** Most items in one request; default 1000. The server has a limit, too: `MAX_BATCH_JOBS`. */
  readonly chunkJobs?: number | undefined;
  /** Most bytes in one request; default 1 MiB. The server has a limit, too: `MAX_BATCH_BYTES`. */
  readonly chunkBytes?: number | undefined;
}

interface Pending {
  readonly index: number;
  /** With its line feed. */
  readonly line: string;
}

type Verdict = { readonly id: string } | { readonly id: null; readonly error: Refusal };
type Refusal = Pick<BatchAnswer['errors'][number], 'code' | 'detail'>;

const ANSWER_MS = 300_000;
/** An item that was refused for one of these fares better later. */
const passing: ReadonlySet<ErrorCode> = new Set([
  'broker_unavailable',
  'store_unavailable',
  'overloaded',
  'queue_full',
  'shutting_down',
  'request_timeout',
]);

/**
 * Yields in the order of the items; asks for the next ones when the results of those before are taken. Holds one request at a time.
 * @throws SluiceHttpError  a request was refused as a whole; nothing from the first missing result on is known to be accepted
 * @throws SluiceConnectionError  the same
 */
export async function* submitBatch(
  requests: Requests,
  items: Iterable<BatchItem> | AsyncIterable<BatchItem>,
  { chunkJobs = 1000, chunkBytes = 1_048_576, ...options }: BatchOptions = {},
): AsyncGenerator<BatchResult, void, undefined> {
  let chunk: Pending[] = [];
  let bytes = 0;
  let index = 0;
  const key = createKey();
  const encoder = new TextEncoder();
  for await (const item of items) {
    const idempotencyKey = item.idempotencyKey ?? `${key}.${index}`;
    const line = `${JSON.stringify({ ...item, idempotencyKey })}\n`;
    const size = encoder.encode(line).length;
    if (chunk.length > 0 && (chunk.length >= chunkJobs || bytes + size > chunkBytes)) {
      yield* await settle(requests, chunk, options);
      chunk = [];
      bytes = 0;
    }
    chunk.push({ index, line });
    bytes += size;
    index += 1;
  }
  if (chunk.length > 0) yield* await settle(requests, chunk, options);
}

/** Sends a chunk until each item has its verdict: what is refused for now, and what the server did not read, is sent again. */
async function settle(
  requests: Requests,
  chunk: readonly Pending[],
  options: CallOptions,
): Promise<readonly BatchResult[]> {
  const verdicts = new Map<number, Verdict>();
  let pending = chunk;
  for (let attempt = 1; pending.length > 0; ) {
    const { books, isLast } = await post(requests, pending, options);
    const { refused, unread } = judge(pending, books, verdicts);
    const delayMs = refused.length === 0 ? 0 : isLast ? undefined : requests.delayMs(attempt++, options);
    pending = delayMs === undefined ? unread : [...refused, ...unread];
    if (delayMs !== undefined && delayMs > 0) await requests.surroundings.pause(delayMs, options.signal);
  }
  return chunk.map(({ index }) => ({ index, ...(verdicts.get(index) as Verdict) }));
}

/** The books of a request; `isLast`: it was sent as often as it may be. */
async function post(
  requests: Requests,
  pending: readonly Pending[],
  options: CallOptions,
): Promise<{ readonly books: BatchAnswer; readonly isLast: boolean }> {
  const content = pending.map(({ line }) => line).join('');
  const body = { type: 'application/x-ndjson', content } as const;
  const call = { method: 'POST', path: '/v1/jobs/batch', body, repeat: 'always' } as const;
  const timeoutMs = Math.max(ANSWER_MS, requests.requestTimeoutMs);
  try {
    const { body: books } = await requests.send({ ...options, ...call, timeoutMs });
    if (isBooks(books)) return { books, isLast: false };
  } catch (error) {
    // Nothing was accepted: its books say why, item by item.
    if (!(error instanceof SluiceHttpError)) throw error;
    const { status, problem } = error;
    if (isBooks(problem)) return { books: problem, isLast: status !== 422 };
    throw error;
  }
  throw new SluiceHttpError({
    status: 202,
    code: 'unexpected_answer',
    detail: 'the answer names no items: is the url right?',
    retryAfterMs: undefined,
    problem: {},
    isOutcomeUnknown: true,
  });
}

/** Books without an item would be asked for again and again. */
function isBooks(body: unknown): body is BatchAnswer {
  const { ids, errors } = body as Partial<BatchAnswer>;
  return Array.isArray(ids) && ids.length > 0 && Array.isArray(errors);
}

/** Writes down what is decided so far, and tells what can be sent again. */
function judge(
  pending: readonly Pending[],
  { ids, errors }: BatchAnswer,
  verdicts: Map<number, Verdict>,
): { readonly refused: readonly Pending[]; readonly unread: readonly Pending[] } {
  const faults = new Map(errors.map(({ index, code, detail }) => [index, { code, detail }]));
  const refused: Pending[] = [];
  const unread = pending.slice(ids.length);
  for (const [at, item] of pending.slice(0, ids.length).entries()) {
    const id = ids[at] ?? null;
    const error = faults.get(at) ?? { code: 'internal_error', detail: 'the server gives no reason' };
    verdicts.set(item.index, id === null ? { id, error } : { id });
    if (id !== null) continue;
    // Too large may be said of all items up to this one together: alone it is judged for itself.
    const isCut = at === ids.length - 1 && at > 0 && error.code === 'payload_too_large';
    if (isCut) unread.unshift(item);
    else if (passing.has(error.code)) refused.push(item);
  }
  return { refused, unread };
}
