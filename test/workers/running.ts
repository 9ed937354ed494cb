/** What a handler is called with in these tests: a job made from a payload, and a context that records. */
import type { Handler, HandlerContext, HandlerJob } from '../../src/handler/define.js';

export const jobId = '0198c5d0-3c00-7abc-8def-0123456789ab';

export function jobOf<Payload>(type: string, payload: Payload, attempt = 1): HandlerJob<Payload> {
  return {
    id: jobId,
    type,
    queue: 'default',
    payload,
    attempt,
    run: 1,
    acceptedAt: '2025-08-20T00:00:00.000Z',
  };
}

export function contextOf(signal: AbortSignal = new AbortController().signal): HandlerContext {
  const silent = (): void => undefined;
  return { signal, log: { debug: silent, info: silent, warn: silent, error: silent }, progress: silent };
}

/** Runs a handler with a payload that its schema is supposed to have accepted. */
export async function run<Result>(
  handler: Handler<never, Result>,
  payload: unknown,
  signal?: AbortSignal,
  attempt = 1,
): Promise<Result> {
  return await handler.run(jobOf(handler.type, payload as never, attempt), contextOf(signal));
}

/** The error that a promise rejects with; fails when it does not. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  const value = await promise.then(
    (result) => new Error(`resolved with ${JSON.stringify(result)}`, { cause: 'resolved' }),
    (error: unknown) => error,
  );
  if (!(value instanceof Error) || value.cause === 'resolved') throw value;
  return value;
}
