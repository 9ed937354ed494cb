/** Takes secrets out of what is about to be logged, wherever in it they are: the message of a library's error, its stack, a field. */

const MASK = '***';
/** Shorter ones are words of their own, such as `guest`, and would be taken out of everything. */
const LEAST_LENGTH = 6;

/** User and password of any address. No scheme is longer: without a bound, each letter of a long word would be the start of another try. */
const credentials = /([a-z][a-z0-9+.-]{0,31}:\/\/)[^\s/@"'\\]+@/gi;
const bearerToken = /\b(bearer\s+)[\w.~+/=-]{8,}/gi;

/** @param secrets  values that must not be shown; found as they are, and as they stand in JSON and in a URL */
export function createMask(secrets: readonly string[]): (text: string) => string {
  const spellings = new Set(
    secrets
      .filter((secret) => secret.length >= LEAST_LENGTH)
      .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]),
  );
  // The longest first: one may be a part of another.
  const values = [...spellings].sort((a, b) => b.length - a.length);
  return (text) => {
    let masked = text;
    for (const value of values) masked = masked.replaceAll(value, MASK);
    return masked.replace(credentials, `$1${MASK}@`).replace(bearerToken, `$1${MASK}`);
  };
}
