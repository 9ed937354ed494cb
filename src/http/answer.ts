/** How an answer is written: whole, in one piece, past Koa's body setters, which guess types and lengths we know. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { HttpContext } from './context.js';
import type { ProblemAnswer } from './problem.js';

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
  const res = openFor(context);
  if (res === undefined) return;
  res.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body), ...headers });
  res.end(body);
}

/** What the client has is still right. */
export function answerUnchanged(context: HttpContext, headers: OutgoingHttpHeaders): void {
  openFor(context)?.writeHead(304, headers).end();
}

/** A refusal, with an id that tells it and its log line to belong together. */
export function answerProblem(context: HttpContext, { status, headers, problem }: ProblemAnswer): void {
  const all = { ...headers, 'X-Request-Id': requestIdOf(context) };
  answer(context, status, JSON.stringify(problem), all, 'application/problem+json');
}

/** The client's own, if it is fit for a header and a log line, else a new one. */
export function requestIdOf({ req, state }: HttpContext): string {
  const sent = req.headers['x-request-id'];
  state.requestId ??= typeof sent === 'string' && /^[\w.:-]{1,128}$/.test(sent) ? sent : randomUUID();
  return state.requestId;
}

/** Undefined when an answer was written or the client is gone. */
function openFor(context: HttpContext): ServerResponse | undefined {
  context.respond = false;
  const { req, res } = context;
  if (res.headersSent || res.destroyed) return undefined;
  if (!req.complete) discardRest(req);
  return res;
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
