/** How an answer is written: whole, in one piece, past Koa's body setters, which guess types and lengths we know. */
import type { OutgoingHttpHeaders } from 'node:http';
import type { HttpContext } from './context.js';

/** Writes the answer unless one was written or the client is gone; `body` is text that is already encoded for `type`. */
export function answer(
  context: HttpContext,
  status: number,
  body: string,
  headers?: OutgoingHttpHeaders,
  type = 'application/json',
): void {
  context.respond = false;
  const { res } = context;
  if (res.headersSent || res.destroyed) return;
  res.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body), ...headers });
  res.end(body);
}
