/** Reads the answers of strangers: bounded in bytes and in time, whatever they send. */
import type { Dispatcher } from 'undici';

export type Answer = Dispatcher.ResponseData;

const DISCARD_BYTES = 65_536;
const EXCERPT_BYTES = 1_024;
const EXCERPT_CHARS = 200;
/** The status is what counts; its body holds up a job and a connection no longer than this. */
const PATIENCE_MS = 2_000;

/** Reads what is left and drops it, so that the connection can be used again; gives up on a long or slow body. */
export async function discard(answer: Answer, signal: AbortSignal): Promise<void> {
  const bounded = new AbortController();
  const end = giveUpLater(signal, () => bounded.abort());
  try {
    await answer.body.dump({ limit: DISCARD_BYTES, signal: bounded.signal });
  } catch {
    // The answer's status is known, and that is what counts; dump has closed the connection.
  } finally {
    end();
  }
}

/** The beginning of a body as one line of text, for people; reads no more than it needs, and does not wait long. */
export async function excerptOf(answer: Answer, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const end = giveUpLater(signal, () => void answer.body.destroy());
  try {
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= EXCERPT_BYTES) break;
    }
  } catch {
    // What came is enough for an excerpt.
  } finally {
    end();
  }
  const text = Buffer.concat(chunks)
    .subarray(0, EXCERPT_BYTES)
    .toString()
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim();
  return text.length > EXCERPT_CHARS ? `${text.slice(0, EXCERPT_CHARS)}…` : text;
}

/**
 * Gives up when the time is over or the signal aborts, unless the function returned is called before. By a timer of our own: Node 20
 * collects an `AbortSignal.timeout` that only `AbortSignal.any` refers to, and then it never fires.
 */
function giveUpLater(signal: AbortSignal, giveUp: () => void): () => void {
  const timer = setTimeout(giveUp, PATIENCE_MS);
  signal.addEventListener('abort', giveUp, { once: true });
  if (signal.aborted) giveUp();
  return () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  };
}
