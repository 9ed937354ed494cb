/** The server that a command talks to, and every way it can say no as one clear line. */
import { validate as isUuid } from 'uuid';
import type { Answer } from '../client/answers.js';
import { SluiceConnectionError, SluiceHttpError } from '../client/errors.js';
import { createRequests, type Requests } from '../client/requests.js';
import { type Client, clientOver } from '../client/surface.js';
import type { ClientConfig } from '../config.js';
import { type ClientOptions, clientOf } from './client-options.js';
import { CommandFailed, oneLine } from './terminal.js';

/** An audit of many jobs takes its time. */
const ANSWER_MS = 120_000;

export interface Server {
  readonly url: string;
  readonly client: Client;
  /** For what must be sent or shown as it is written. */
  readonly requests: Requests;
}

export function connect({ url, apiKey }: ClientConfig, requestTimeoutMs = ANSWER_MS): Server {
  // A person at a terminal decides by himself whether to try again.
  const retry = { attempts: 1 };
  const requests = createRequests({ url, retry, requestTimeoutMs, apiKey: apiKey?.reveal() });
  return { url, requests, client: clientOver(requests) };
}

/**
 * Does the work of a command; with `json`, a refusal is printed on stdout first.
 * @param requestTimeoutMs  how long the server may take to answer; default two minutes
 * @throws CommandFailed  exit code 1 where the server refuses or does not answer
 */
export async function withServer<Result>(
  options: ClientOptions,
  work: (server: Server) => Promise<Result>,
  requestTimeoutMs?: number,
): Promise<Result> {
  const server = connect(clientOf(options), requestTimeoutMs);
  try {
    return await work(server);
  } catch (error) {
    const line = lineOf(error, server.url);
    if (line === undefined) throw error;
    if (options.json && error instanceof SluiceHttpError && 'code' in error.problem)
      process.stdout.write(`${JSON.stringify(error.problem)}\n`);
    throw new CommandFailed(line, 1, { cause: error });
  }
}

/** What a person is told when the server has refused or not answered; undefined for any other error. */
export function lineOf(error: unknown, url: string): string | undefined {
  const where = '(--url or SLUICE_URL says where)';
  if (error instanceof SluiceConnectionError) {
    const isRefused = /ECONNREFUSED/.test(error.message);
    return isRefused
      ? `cannot reach ${url}: connection refused; does \`sluice start\` run there? ${where}`
      : oneLine(`${error.message}${error.code === 'unreachable' ? ` ${where}` : ''}`);
  }
  if (!(error instanceof SluiceHttpError)) return undefined;
  const { status, code, detail, retryAfterMs } = error;
  if (code === 'unexpected_answer') return oneLine(`${url} answered ${status}: ${detail} ${where}`);
  const advice = status === 401 ? '; give a key with --api-key or SLUICE_API_KEY' : '';
  const when = retryAfterMs === undefined ? '' : `; try again in ${Math.ceil(retryAfterMs / 1000)} s`;
  return oneLine(`${status} ${code}: ${detail}`) + advice + when;
}

/** The same of any error. */
export function reasonOf(error: unknown, url: string): string {
  return lineOf(error, url) ?? oneLine(String(error));
}

/** What became of one request that is not to be repeated blindly. */
export type Outcome =
  | { readonly kind: 'accepted'; readonly body: Readonly<Record<string, unknown>> }
  /** The server said no, and accepted nothing. */
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly body: Readonly<Record<string, unknown>>;
      readonly retryAfterMs: number | undefined;
      readonly line: string;
    }
  /** No connection: nothing was sent. */
  | { readonly kind: 'unreachable'; readonly line: string }
  /** Sent, and no answer that could be understood: it may have been accepted. */
  | { readonly kind: 'unknown'; readonly line: string };

export async function outcomeOf(asked: Promise<Answer>, url: string): Promise<Outcome> {
  try {
    return { kind: 'accepted', body: (await asked).body as Readonly<Record<string, unknown>> };
  } catch (error) {
    const line = lineOf(error, url);
    if (line === undefined) throw error;
    if (error instanceof SluiceConnectionError)
      return { kind: error.code === 'unreachable' ? 'unreachable' : 'unknown', line };
    const { status, problem, retryAfterMs, isOutcomeUnknown } = error as SluiceHttpError;
    if (isOutcomeUnknown) return { kind: 'unknown', line };
    return { kind: 'refused', status, body: problem, retryAfterMs, line };
  }
}

/** @throws CommandFailed  exit code 2: it is no id */
export function idOf(text: string): string {
  if (!isUuid(text)) throw new CommandFailed('the id must be a UUID, as submit prints it', 2);
  return text.toLowerCase();
}
