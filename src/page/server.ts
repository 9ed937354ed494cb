/** How the page talks to the server it came from: by the typed client, with the key of this tab, and knowing when nobody answers. */
import type { Answer } from '../client/answers.js';
import { SluiceConnectionError, SluiceHttpError } from '../client/errors.js';
import { type Call, createRequests, type Requests } from '../client/requests.js';
import { clientOver } from '../client/surface.js';
import { createCell } from './cell.js';

const KEY = 'sluice-key';
/** Longer than the slowest count of a large store. */
const PATIENCE_MS = 15_000;
/** What a gateway says for a server that does not answer it. */
const gatewayFaults = [502, 504];

/** Since when the server has not answered, in ms since the epoch; undefined: it does. */
export const silentSince = createCell<number | undefined>(undefined);
/** Why a key is asked for, empty for the first one; undefined: none is. */
export const keyWanted = createCell<string | undefined>(undefined);

let requests = requestsWith(sessionStorage.getItem(KEY) ?? undefined);

/** Kept for this tab alone, and no longer than it. @throws TypeError  it cannot be a key */
export function keepKey(key: string): void {
  requests = requestsWith(key);
  sessionStorage.setItem(KEY, key);
}

export function forgetKey(): void {
  sessionStorage.removeItem(KEY);
  location.reload();
}

export function hasKey(): boolean {
  return sessionStorage.getItem(KEY) !== null;
}

/** For what the client does not say. @throws SluiceHttpError  @throws SluiceConnectionError */
export async function send(call: Call): Promise<Answer> {
  const withKey = requests;
  try {
    const answer = await withKey.send(call);
    silentSince.set(undefined);
    return answer;
  } catch (error) {
    if (!isSilence(error)) silentSince.set(undefined);
    else if (silentSince.get() === undefined) silentSince.set(Date.now());
    // A late answer to an earlier key, or to none, says nothing of the one that was entered meanwhile.
    const isOfThisKey = withKey === requests;
    if (error instanceof SluiceHttpError && error.status === 401 && isOfThisKey)
      keyWanted.set(hasKey() ? error.detail : '');
    throw error;
  }
}

export const client = clientOver({
  ...requests,
  send,
  ask: async <Known>(call: Call) => (await send(call)).body as Known,
});

/** Nobody has answered; what was asked for may have been done. */
export function isSilence(error: unknown): boolean {
  if (error instanceof SluiceHttpError) return gatewayFaults.includes(error.status);
  return error instanceof SluiceConnectionError;
}

/** What is told to a person. */
export function saidBy(error: unknown): string {
  if (isSilence(error))
    return 'The server does not answer; what was asked for may have been done all the same.';
  return error instanceof SluiceHttpError ? error.detail : String(error);
}

/** Nothing is sent again by itself: figures are asked for again anyway, and an order is a person's. */
function requestsWith(apiKey: string | undefined): Requests {
  return createRequests({
    // Beside the page, also where a proxy shows it below another path.
    url: new URL('.', document.baseURI),
    apiKey,
    retry: { attempts: 1 },
    requestTimeoutMs: PATIENCE_MS,
    fetch: (input, init) => fetch(input, { ...init, cache: 'no-store' }),
  });
}
