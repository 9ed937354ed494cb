/** Keys: what `API_KEYS` and the other secrets of fixed form look like, and how to make one. */
import { createHash } from 'node:crypto';
import { type Scope, scopes } from '../api/constants.js';
import { type Kind, listOf, matching, type Parsed } from './kinds.js';
import { Secret } from './secret.js';

/** Who may do what. The key itself is nowhere: only its SHA-256. */
export interface ApiKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** 32 bytes, of the key's UTF-8 text. */
  readonly sha256: Buffer;
}

/** Makes a key and prints it beside the entry of `API_KEYS` that lets it in; for a POSIX shell. */
export const keyCommand =
  'KEY=$(openssl rand -hex 32); echo "key: $KEY"; ' +
  'echo "API_KEYS=me:submit+read+operate:$(printf %s "$KEY" | sha256sum | cut -c1-64)"';

const hashOfNothing = createHash('sha256').digest('hex');

const apiKey: Kind<ApiKey> = {
  expects: 'name:scopes:hash',
  parse(text): Parsed<ApiKey> {
    const [name = '', scopeList, hash, ...more] = text.split(':');
    if (scopeList === undefined || hash === undefined || more.length > 0)
      return { fault: 'must have three parts between colons' };
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name))
      return { fault: 'the name must be of letters, digits, . _ and -' };
    const granted = scopeList.split('+');
    const known = scopes.filter((scope) => granted.includes(scope));
    if (granted.some((scope) => !known.some((one) => one === scope))) {
      return { fault: `(${name}) a scope is unknown; scopes are ${scopes.join(', ')}, joined by +` };
    }
    if (known.length !== granted.length) return { fault: `(${name}) a scope is there twice` };
    if (!/^[0-9a-f]{64}$/i.test(hash))
      return { fault: `(${name}) the hash must be 64 hex digits, the SHA-256 of the key` };
    if (hash.toLowerCase() === hashOfNothing)
      return { fault: `(${name}) that is the SHA-256 of an empty key` };
    return { value: Object.freeze({ name, scopes: Object.freeze(known), sha256: Buffer.from(hash, 'hex') }) };
  },
};

const listOfKeys = listOf<ApiKey>(
  apiKey,
  (key) => key.name,
  '`name:scope+scope:hash` entries between commas; scopes are `submit`, `read`, `operate`; the hash is the SHA-256 of the key in hex',
);

export const apiKeys: Kind<readonly ApiKey[]> = {
  expects: listOfKeys.expects,
  parse(text) {
    const parsed = listOfKeys.parse(text);
    if ('fault' in parsed) return parsed;
    const hashes = new Set(parsed.value.map((key) => key.sha256.toString('hex')));
    return hashes.size === parsed.value.length ? parsed : { fault: 'two names have the same key' };
  },
};

/** A key as the client sends it: what can stand in an HTTP header. */
export const clientKey: Kind<Secret> = {
  expects: 'the key itself, without spaces',
  parse: (text) =>
    /^[\x21-\x7e]+$/.test(text)
      ? { value: new Secret(text) }
      : { fault: 'it holds a character that no key has' },
};

/** Standard Webhooks: base64 of 24 to 64 random bytes, with `whsec_` before it or not. */
export const webhookSecret: Kind<Secret> = {
  expects:
    '24 to 64 random bytes in base64, as `openssl rand -base64 32` prints them; `whsec_` may stand before',
  parse(text) {
    const encoded = text.replace(/^whsec_/, '');
    if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(encoded))
      return { fault: 'it is not base64' };
    const length = Buffer.from(encoded, 'base64').length;
    return length >= 24 && length <= 64 ? { value: new Secret(text) } : { fault: `it holds ${length} bytes` };
  },
};

/** `a@b.c` or `Name <a@b.c>`, on one line. */
export const mailAddress: Kind<string> = matching(
  /^(?:[^<>@\p{Cc}]+ <[^<>@\s\p{Cc}]+@[^<>@\s\p{Cc}]+>|[^<>@\s\p{Cc}]+@[^<>@\s\p{Cc}]+)$/u,
  'an address such as `jobs@example.com` or `Jobs <jobs@example.com>`',
);
