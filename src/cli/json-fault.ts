/** Where a text stops being JSON. `JSON.parse` alone judges; this only finds the place, which its messages often lack. */

/** Tokens of RFC 8259; each matches at one position only. */
const space = /[ \t\n\r]*/y;
const word = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const escaped = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/**
 * The fault of a text that is no JSON, in words with line and column (both from 1), or undefined for JSON.
 * A string, number or word that is wrong inside is reported where it begins.
 */
export function jsonFault(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch {
    const at = faultPosition(text);
    if (text.trim() === '') return 'it is empty';
    const before = text.slice(0, at).split('\n');
    const where = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
    return at >= text.trimEnd().length
      ? `it ends too early, at ${where}`
      : `it breaks at ${where}, near ${excerpt(text, at)}`;
  }
}

function excerpt(text: string, at: number): string {
  return JSON.stringify(text.slice(at, at + 20));
}

const quote = 0x22;
const backslash = 0x5c;
const firstPrintable = 0x20;

/** A flat scan with a stack of open brackets, so that depth costs no call stack. */
export function faultPosition(text: string): number {
  let at = 0;
  const open: string[] = [];
  const take = (token: RegExp): boolean => {
    token.lastIndex = at;
    const match = token.exec(text);
    if (match === null) return false;
    at += match[0].length;
    return true;
  };
  // By hand: a regular expression runs out of stack on a string of some millions of characters.
  const takeString = (): boolean => {
    const start = at;
    if (text[at] !== '"') return false;
    at += 1;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === quote) {
        at += 1;
        return true;
      }
      if (code === backslash && take(escaped)) continue;
      // NaN behind the end of the text
      if (code === backslash || !(code >= firstPrintable)) {
        at = start;
        return false;
      }
      at += 1;
    }
  };
  const takeKey = (): boolean => {
    take(space);
    if (!takeString()) return false;
    take(space);
    if (text[at] !== ':') return false;
    at += 1;
    return true;
  };
  for (;;) {
    take(space);
    const char = text[at];
    if (char === '{' || char === '[') {
      at += 1;
      take(space);
      const close = char === '{' ? '}' : ']';
      if (text[at] !== close) {
        open.push(close);
        if (close === '}' && !takeKey()) return at;
        continue;
      }
      at += 1;
    } else if (!takeString() && !take(word)) {
      return at;
    }
    // A value is complete: close what ends here, or go on behind a comma.
    for (;;) {
      take(space);
      const close = open.at(-1);
      if (close === undefined) return at;
      if (text[at] === close) {
        open.pop();
        at += 1;
        continue;
      }
      if (text[at] !== ',') return at;
      at += 1;
      if (close === '}' && !takeKey()) return at;
      break;
    }
  }
}
