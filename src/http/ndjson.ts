/** Lines of a streamed body: read no faster than they are taken, each bounded, the whole bounded in size and in silence. */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../runtime/clock.js';
import { tooLarge } from './body.js';
import { trimmed } from './json.js';
import { ClientGone, Rejection } from './problem.js';

export interface LineLimits {
  /** Of one line. A longer one is not kept, only reported. */
  readonly maxLineBytes: number;
  readonly maxBytes: number;
  /** The longest wait for the client's next bytes, in ms. */
  readonly idleMs: number;
  readonly clock: Clock;
}

/** A line's bytes without its end, or `too-long`. Blank lines are left out. */
export type Line = Buffer | 'too-long';

const LINE_FEED = 0x0a;

/**
 * Yields the lines that each piece of the body completes. The rest of the body is left to whoever answers.
 * @throws Rejection request_timeout, payload_too_large
 * @throws ClientGone  the last, incomplete line is then dropped with the client
 */
export async function* linesOf(req: IncomingMessage, limits: LineLimits): AsyncGenerator<readonly Line[]> {
  const { maxLineBytes, maxBytes } = limits;
  const pieces: AsyncIterator<Buffer> = req.iterator({ destroyOnReturn: false });
  let begun: Buffer[] = [];
  let begunBytes = 0;
  let total = 0;

  const finish = (piece: Buffer): Line | undefined => {
    const size = begunBytes + piece.length;
    const whole = begun.length === 0 ? piece : Buffer.concat([...begun, piece]);
    begun = [];
    begunBytes = 0;
    if (size > maxLineBytes + 1) return 'too-long'; // one more for a carriage return
    const line = trimmed(whole, 0, whole.length);
    if (line.length > maxLineBytes) return 'too-long';
    return line.length === 0 ? undefined : line;
  };

  try {
    for (;;) {
      const piece = await nextPiece(pieces, limits);
      if (piece === undefined) break;
      total += piece.length;
      if (total > maxBytes) throw tooLarge(maxBytes);
      const lines: Line[] = [];
      let from = 0;
      for (let end = piece.indexOf(LINE_FEED); end >= 0; end = piece.indexOf(LINE_FEED, from)) {
        const line = finish(piece.subarray(from, end));
        if (line !== undefined) lines.push(line);
        from = end + 1;
      }
      const rest = piece.subarray(from);
      begunBytes += rest.length;
      // What is too long already is counted and no longer kept.
      if (begunBytes > maxLineBytes + 1) begun = [];
      else if (rest.length > 0) begun.push(rest);
      if (lines.length > 0) yield lines;
    }
    const last = finish(Buffer.alloc(0));
    if (last !== undefined) yield [last];
  } finally {
    // Takes the iterator's hands off the stream; a pending read, after a silence, ends with the connection.
    pieces.return?.().catch(() => {});
  }
}

async function nextPiece(
  pieces: AsyncIterator<Buffer>,
  { idleMs, clock }: LineLimits,
): Promise<Buffer | undefined> {
  let stopTimer = (): void => {};
  const silence = new Promise<never>((_resolve, reject) => {
    stopTimer = clock.after(idleMs, () => {
      reject(new Rejection('request_timeout', `nothing came for ${idleMs} ms`));
    });
  });
  const next = pieces.next().catch((cause: unknown) => {
    throw new ClientGone({ cause });
  });
  // Whichever loses the race may still reject, to nobody.
  next.catch(() => {});
  try {
    const { done, value } = await Promise.race([next, silence]);
    return done ? undefined : value;
  } finally {
    stopTimer();
  }
}
