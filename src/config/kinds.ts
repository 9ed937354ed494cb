/** The kinds of values a setting can have: each says what it expects and reads exactly that. */
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import ipaddr from 'ipaddr.js';
import { queueNamePattern } from '../job/job.js';

/** A fault says what is wrong beyond `expects`; it never repeats the value, which may be a secret. */
export type Parsed<Value> = { readonly value: Value } | { readonly fault: string };

export interface Kind<Value> {
  /** Completes the sentence "expected …"; also the README's column. */
  readonly expects: string;
  parse(text: string): Parsed<Value>;
}

export type WholeNumberUnit = 'ms' | 'bytes' | 'jobs' | 'attempts' | 'messages';

/** Plain decimal digits and nothing else: no sign, exponent, fraction, leading zero or space. */
export function wholeNumber(least: number, most: number, unit?: WholeNumberUnit): Kind<number> {
  const expects = `a whole number${unit === undefined ? '' : ` of ${unit}`}, ${least} to ${most}`;
  return {
    expects,
    parse(text) {
      if (!/^(0|[1-9]\d{0,15})$/.test(text)) return { fault: 'not a whole number in plain digits' };
      const value = Number(text);
      if (value < least) return { fault: 'too small' };
      if (value > most) return { fault: 'too large' };
      return { value };
    },
  };
}

export const flag: Kind<boolean> = {
  expects: '`true` or `false`',
  parse(text) {
    if (text === 'true') return { value: true };
    if (text === 'false') return { value: false };
    return { fault: 'neither of the two words' };
  },
};

export function oneOf<const Word extends string>(words: readonly Word[]): Kind<Word> {
  return {
    expects: `one of ${words.map((word) => `\`${word}\``).join(' ')}`,
    parse(text) {
      const value = words.find((word) => word === text);
      return value === undefined ? { fault: 'none of these words' } : { value };
    },
  };
}

export function matching(pattern: RegExp, expects: string): Kind<string> {
  return {
    expects,
    parse: (text) => (pattern.test(text) ? { value: text } : { fault: 'has another form' }),
  };
}

/** RFC 1123 labels; the last one is not all digits, so that a mistyped IPv4 address is no name. */
const hostNamePattern =
  /^(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*(?!\d+$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

export const host: Kind<string> = {
  expects: 'an IP address without brackets, or a host name',
  parse(text) {
    if (isIP(text) !== 0 || hostNamePattern.test(text)) return { value: text };
    return { fault: 'neither an address nor a name' };
  },
};

/** Whether only this machine can connect to `hostOrAddress`; any name but `localhost` counts as reachable from elsewhere. */
export function isLoopback(hostOrAddress: string): boolean {
  if (hostOrAddress.toLowerCase() === 'localhost') return true;
  return isIP(hostOrAddress) !== 0 && ipaddr.process(hostOrAddress).range() === 'loopback';
}

/** A mistyped URL must not become a folder, perhaps with a password in its name. */
export const folder: Kind<string> = {
  expects: 'the path of a folder; made when missing',
  parse(text) {
    if (text.includes('\0')) return { fault: 'no path holds U+0000' };
    if (/^[a-z][a-z0-9+.-]+:/i.test(text)) return { fault: 'that is a URL' };
    if (existsSync(text) && !statSync(text).isDirectory()) return { fault: 'that is a file' };
    return { value: text };
  },
};

/** A file becomes an absolute path, so that a later change of the working directory does not matter; a package stays a name. */
export const moduleFile: Kind<string> = {
  expects:
    'the path of a JavaScript module that exists, such as `./my-handlers.js`, or the name of an installed package',
  parse(text) {
    if (!text.includes('\0') && existsSync(text)) {
      return statSync(text).isDirectory() ? { fault: 'that is a folder' } : { value: resolve(text) };
    }
    return isInstalled(text) ? { value: text } : { fault: 'there is no such file' };
  },
};

function isInstalled(packageName: string): boolean {
  try {
    createRequire(resolve('noop.js')).resolve(packageName);
    return true;
  } catch (error) {
    // Anything else than "not found" is a package that wants to be imported, not required.
    return (error as NodeJS.ErrnoException).code === 'ERR_PACKAGE_PATH_NOT_EXPORTED';
  }
}

/** Items between commas; spaces around an item do not count. An empty item is a fault, so that a lost name is noticed. */
export function listOf<Item>(
  item: Kind<Item>,
  nameOf: (item: Item) => string,
  expects: string,
): Kind<readonly Item[]> {
  return {
    expects,
    parse(text) {
      const items: Item[] = [];
      const names = new Set<string>();
      for (const [index, part] of text.split(',').entries()) {
        const parsed = item.parse(part.trim());
        const where = `item ${index + 1}`;
        if ('fault' in parsed) return { fault: `${where}: ${part.trim() === '' ? 'empty' : parsed.fault}` };
        const name = nameOf(parsed.value);
        if (names.has(name)) return { fault: `${where}: ${name} is there twice` };
        names.add(name);
        items.push(parsed.value);
      }
      return { value: items };
    },
  };
}

const queueName = new RegExp(queueNamePattern);

export const queueNames = listOf<string>(
  matching(queueName, 'a queue name'),
  (name) => name,
  'queue names between commas, each of a-z, 0-9, `_` and `-`, such as `mail,reports`',
);

export interface QueueShare {
  readonly queue: string;
  /** Absent: the setting's. */
  readonly concurrency: number | undefined;
}

export const mostConcurrency = 10_000;
const concurrency = wholeNumber(1, mostConcurrency);

export const queueShares = listOf<QueueShare>(
  {
    expects: 'a queue name, with or without a concurrency',
    parse(text) {
      const [queue = '', count, ...more] = text.split(':');
      if (!queueName.test(queue) || more.length > 0) return { fault: 'has another form' };
      if (count === undefined) return { value: { queue, concurrency: undefined } };
      const parsed = concurrency.parse(count);
      if ('fault' in parsed) return { fault: `the concurrency must be ${concurrency.expects}` };
      return { value: { queue, concurrency: parsed.value } };
    },
  },
  (share) => share.queue,
  'queue names between commas, each with its concurrency if it differs, such as `default,mail:5`',
);
