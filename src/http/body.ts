/** Request bodies: their media type, and a reader that is bounded in size, in time, and in what all requests hold together. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../runtime/clock.js';
import { createDeadlines } from './deadlines.js';
import { ClientGone, Rejection } from './problem.js';

export interface BodyLimits {
  /** A body that is not complete so long after its headers is given up. */
  readonly timeoutMs: number;
  /** Bytes of all bodies held at a time; beyond it requests are refused as `overloaded`. */
  readonly heldBytes: number;
  readonly clock: Clock;
}

export interface Bodies {
  /**
   * Reads a whole body of at most `maxBytes`. The bytes count as held until `release`, because the job made of them is a view of them.
   * @throws Rejection payload_too_large, request_timeout, overloaded
   * @throws ClientGone
   */
  read(req: IncomingMessage, res: ServerResponse, maxBytes: number): Promise<Buffer>;
  release(bytes: Buffer): void;
  /** Once no request is left. */
  close(): void;
}

const empty = Buffer.alloc(0);

export function createBodies({ timeoutMs, heldBytes, clock }: BodyLimits): Bodies {
  const deadlines = createDeadlines(timeoutMs, clock);
  let held = 0;

  function read(req: IncomingMessage, res: ServerResponse, maxBytes: number): Promise<Buffer> {
    const declared = declaredLength(req);
    if (declared !== undefined && declared > maxBytes) return Promise.reject(tooLarge(maxBytes));
    askForBody(req, res);
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let size = 0;
      // Listeners are left where they are: the request ends soon, and taking them off costs more than this flag.
      let isSettled = false;
      const fail = (error: Error): void => {
        if (isSettled) return;
        isSettled = true;
        deadlines.clear(deadline);
        held -= size;
        chunks.length = 0;
        reject(error);
      };
      const deadline = deadlines.set(() =>
        fail(new Rejection('request_timeout', `the body was not complete after ${timeoutMs} ms`)),
      );
      req.on('data', (chunk: Buffer) => {
        if (isSettled) return;
        size += chunk.length;
        held += chunk.length;
        chunks.push(chunk);
        if (size > maxBytes) fail(tooLarge(maxBytes));
        else if (held > heldBytes) {
          fail(new Rejection('overloaded', 'too many bytes of requests are in work, try again'));
        }
      });
      req.on('end', () => {
        if (isSettled) return;
        isSettled = true;
        deadlines.clear(deadline);
        resolve(chunks.length === 1 ? (chunks[0] ?? empty) : Buffer.concat(chunks, size));
      });
      // Comes after `end`, or without it when the client has gone.
      req.on('close', () => {
        if (!isSettled) fail(new ClientGone());
      });
    });
  }

  return {
    read,
    release(bytes) {
      held -= bytes.length;
    },
    close: () => deadlines.close(),
  };
}

/**
 * The media type of a request with a body, in lower case, without parameters.
 * @throws Rejection unsupported_media_type  none of `accepted`, or a charset other than UTF-8, or compressed
 */
export function requireMediaType(req: IncomingMessage, accepted: readonly string[]): string {
  const header = req.headers['content-type'] ?? '';
  const [type = '', ...parameters] = header.toLowerCase().split(';');
  const encoding = req.headers['content-encoding'] ?? 'identity';
  const media = type.trim();
  const charset = parameters.map((parameter) => parameter.trim()).find((one) => one.startsWith('charset='));
  let fault: string | undefined;
  if (!accepted.includes(media)) fault = `send ${accepted.join(' or ')} as Content-Type`;
  else if (charset !== undefined && !/^charset="?utf-?8"?$/.test(charset)) fault = 'send UTF-8';
  else if (encoding.toLowerCase() !== 'identity') fault = 'send the body without Content-Encoding';
  if (fault === undefined) return media;
  throw new Rejection('unsupported_media_type', fault);
}

/** Node has refused a request with a malformed Content-Length before it comes here. */
export function declaredLength(req: IncomingMessage): number | undefined {
  const header = req.headers['content-length'];
  return header === undefined ? undefined : Number(header);
}

/** A client that waits for `100 Continue` gets it only when its body is wanted. */
export function askForBody(req: IncomingMessage, res: ServerResponse): void {
  if (req.headers.expect?.toLowerCase() === '100-continue' && !res.headersSent) res.writeContinue();
}

export function tooLarge(maxBytes: number): Rejection {
  return new Rejection('payload_too_large', `a body may hold at most ${maxBytes} bytes`);
}
