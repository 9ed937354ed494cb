/** Who may do what: API keys with scopes, kept as hashes and compared in constant time. */
import { hash, timingSafeEqual } from 'node:crypto';
import type { Scope } from '../api/constants.js';
import { Rejection } from './problem.js';

export interface ApiKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** The 32 bytes of the key's SHA-256; the key itself is known to its owner alone. */
  readonly sha256: Buffer;
}

/**
 * Finds the key of an `Authorization: Bearer <key>` header (RFC 6750). Without configured keys everyone passes, as undefined.
 * All keys are compared, so that the time taken tells nothing of which one was near.
 * @throws Rejection unauthorized
 */
export function authenticate(keys: readonly ApiKey[], authorization: string | undefined): ApiKey | undefined {
  if (keys.length === 0) return undefined;
  if (authorization === undefined) {
    throw unauthorized('send your API key as "Authorization: Bearer <key>"', 'Bearer realm="sluice"');
  }
  const token = /^bearer +([^\s]+) *$/i.exec(authorization)?.[1];
  if (token === undefined) {
    const detail = 'the Authorization header must be "Bearer <key>"';
    throw unauthorized(detail, 'Bearer realm="sluice", error="invalid_request"');
  }
  const digest = hash('sha256', token, 'buffer');
  let found: ApiKey | undefined;
  for (const key of keys) {
    if (timingSafeEqual(key.sha256, digest)) found = key;
  }
  if (!found) throw unauthorized('this API key is not known', 'Bearer realm="sluice", error="invalid_token"');
  return found;
}

/** @throws Rejection forbidden  when there are keys and this one lacks the scope */
export function authorize(keys: readonly ApiKey[], key: ApiKey | undefined, scope: Scope): void {
  if (keys.length === 0 || key?.scopes.includes(scope)) return;
  throw new Rejection('forbidden', `this needs an API key with the scope '${scope}'`, {
    headers: { 'WWW-Authenticate': `Bearer realm="sluice", error="insufficient_scope", scope="${scope}"` },
  });
}

function unauthorized(detail: string, challenge: string): Rejection {
  return new Rejection('unauthorized', detail, { headers: { 'WWW-Authenticate': challenge } });
}
