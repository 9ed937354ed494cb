/** How an answer is written: whole, in one piece, past Koa's body setters, which guess types and lengths we know. */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { HttpContext } from './context.js';

/** What a client may still send after an early answer before its connection is cut. */
const DISCARDED_BYTES = 16 * 1024 * 1024;

/** Writes the answer unless one was written or the client is gone; `body` is already encoded for `type`. */
export function answer(
  context: HttpContext,
  status: number,
  body: string | Buffer,
  headers?: OutgoingHttpHeaders,
  type = 'application/json',
): void {
  context.respond = false;
  const { req, res } = context;
  if (res.headersSent || res.destroyed) return;
  if (!req.complete) discardRest(req);
  res.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body), ...headers });
  res.end(body);
}

/** What the client has is still right. */
export function answerUnchanged(context: HttpContext, headers: OutgoingHttpHeaders): void {
  context.respond = false;
  const { req, res } = context;
  if (res.headersSent || res.destroyed) return;
  if (!req.complete) discardRest(req);
  res.writeHead(304, headers);
  res.end();
}

/**
 * Reads on without keeping anything: closing at once could destroy the answer on its way to a client that is still writing.
 * Bounded in bytes here, in time by the server's request timeout.
 */
function discardRest(req: IncomingMessage): void {
  let discarded = 0;
  req.on('error', () => {}); // an aborted request would throw without a listener
  req.on('data', (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > DISCARDED_BYTES) req.socket.destroy();
  });
  req.resume();
}
