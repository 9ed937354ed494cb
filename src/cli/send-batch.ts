/** Sends chunks of a file one after the other and keeps the ledger: what was accepted, rejected, unknown, not sent. */
import type { Chunk, LongLine } from './ndjson-chunks.js';
import type { Outcome } from './server.js';
import { oneLine } from './terminal.js';

export interface LineFault {
  /** Counts from 1 in the file. */
  readonly line: number;
  readonly code: string;
  readonly detail: string;
}

/** Every line that is not blank is in exactly one of the counts, or not sent. */
export interface Ledger {
  accepted: number;
  rejected: number;
  /** Sent, but no answer came: they may have been accepted. */
  unknown: number;
  stopped: Stopped | undefined;
}

/** Sending ended before the file did. */
export interface Stopped {
  readonly reason: string;
  /** The first line that was certainly not accepted; sending from here on makes no duplicates. */
  readonly resumeLine: number;
  /** Lines before it that may have been accepted, the first and the last. */
  readonly unknownLines: readonly [number, number] | undefined;
}

export interface SendBatch {
  readonly post: (chunk: Chunk) => Promise<Outcome>;
  /** Waits, in ms, and keeps the process alive meanwhile. */
  readonly wait: (ms: number) => Promise<unknown>;
  /** How long one chunk is tried again while the server says "not now". */
  readonly patienceMs: number;
  readonly onFault: (fault: LineFault) => void;
  /** Called after each chunk. */
  readonly onProgress: (ledger: Readonly<Ledger>, bytes: number) => void;
  /** Called before a wait, with the server's reason. */
  readonly onWait: (ms: number, reason: string) => void;
}

const longestWaitMs = 60_000;
const usualWaitMs = 1000;
/** What a try counts for at least, so that a server that always says "at once" is not asked for ever. */
const leastWaitMs = 100;

/**
 * Sends until the end, or until going on makes no sense: no server, no right to submit, no answer. A chunk is sent again
 * only if none of it was accepted for certain, so sending again makes no duplicates.
 */
export async function sendBatch(
  chunks: AsyncIterable<Chunk | LongLine>,
  options: SendBatch,
): Promise<Ledger> {
  const ledger: Ledger = { accepted: 0, rejected: 0, unknown: 0, stopped: undefined };
  for await (const chunk of chunks) {
    if (chunk.kind === 'long-line') {
      ledger.rejected += 1;
      options.onFault({
        line: chunk.line,
        code: 'payload_too_large',
        detail: 'the line is longer than a request can be; it was not sent',
      });
      continue;
    }
    const outcome = await postPatiently(chunk, options);
    settle(ledger, chunk, outcome, options.onFault);
    options.onProgress(ledger, chunk.body.length);
    if (ledger.stopped !== undefined) break;
  }
  return ledger;
}

async function postPatiently(chunk: Chunk, { post, wait, patienceMs, onWait }: SendBatch): Promise<Outcome> {
  for (let waitedMs = 0; ; ) {
    const outcome = await post(chunk);
    if (outcome.kind !== 'refused' || (outcome.status !== 503 && outcome.status !== 429)) return outcome;
    const waitMs = Math.min(outcome.retryAfterMs ?? usualWaitMs, longestWaitMs);
    if (waitedMs + waitMs > patienceMs) return outcome;
    onWait(waitMs, outcome.line);
    await wait(waitMs);
    waitedMs += Math.max(waitMs, leastWaitMs);
  }
}

function settle(ledger: Ledger, chunk: Chunk, outcome: Outcome, onFault: (fault: LineFault) => void): void {
  const first = chunk.lines[0] ?? 0;
  switch (outcome.kind) {
    case 'accepted': {
      const { accepted, rejected } = outcome.body;
      if (
        typeof accepted !== 'number' ||
        typeof rejected !== 'number' ||
        accepted + rejected !== chunk.lines.length
      ) {
        settleUnknown(ledger, chunk, 'the answer does not add up to the lines that were sent');
        return;
      }
      ledger.accepted += accepted;
      ledger.rejected += rejected;
      for (const fault of faultsIn(outcome.body, chunk)) onFault(fault);
      return;
    }
    case 'refused': {
      // 422 is about these lines and the next chunk may fare better; anything else would repeat itself.
      if (outcome.status !== 422) {
        ledger.stopped = { reason: outcome.line, resumeLine: first, unknownLines: undefined };
        return;
      }
      ledger.rejected += chunk.lines.length;
      const faults = faultsIn(outcome.body, chunk);
      if (faults.length > 0) for (const fault of faults) onFault(fault);
      else
        onFault({
          line: first,
          code: String(outcome.body['code']),
          detail: `${outcome.line} (and the ${chunk.lines.length - 1} lines after it)`,
        });
      return;
    }
    case 'unreachable':
      ledger.stopped = { reason: outcome.line, resumeLine: first, unknownLines: undefined };
      return;
    case 'unknown':
      settleUnknown(ledger, chunk, outcome.line);
      return;
    default:
      outcome satisfies never;
  }
}

function settleUnknown(ledger: Ledger, chunk: Chunk, reason: string): void {
  const first = chunk.lines[0] ?? 0;
  const last = chunk.lines.at(-1) ?? first;
  ledger.unknown += chunk.lines.length;
  ledger.stopped = { reason, resumeLine: last + 1, unknownLines: [first, last] };
}

function faultsIn(body: Readonly<Record<string, unknown>>, chunk: Chunk): LineFault[] {
  const errors: unknown = body['errors'];
  if (!Array.isArray(errors)) return [];
  return errors.flatMap((error: unknown) => {
    if (typeof error !== 'object' || error === null || !('index' in error)) return [];
    const line = chunk.lines[Number(error.index)];
    if (line === undefined) return [];
    const code = 'code' in error ? oneLine(String(error.code)) : 'refused';
    return [{ line, code, detail: 'detail' in error ? oneLine(String(error.detail)) : '' }];
  });
}
