/** Reads a secret that comes as a file, as Docker and Kubernetes mount them. */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Parsed } from './kinds.js';

const mostBytes = 65_536;

/** The text of the file without the newline at its end. Never more than 64 KiB is read, whatever the path leads to. */
export function readSecretFile(path: string): Parsed<string> {
  let bytes: Buffer;
  try {
    bytes = readUpTo(path, mostBytes + 1);
  } catch (error) {
    // Without the path that Node appends: the caller decides whether it can be shown.
    return {
      fault: `cannot be read (${String(error instanceof Error ? error.message : error).split(', ')[0]})`,
    };
  }
  if (bytes.length > mostBytes) return { fault: `is longer than ${mostBytes} bytes` };
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r?\n$/, '');
    return text === '' ? { fault: 'is empty' } : { value: text };
  } catch {
    return { fault: 'is not UTF-8 text' };
  }
}

function readUpTo(path: string, most: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(most);
    let length = 0;
    for (;;) {
      const read = readSync(file, bytes, length, most - length, null);
      length += read;
      if (read === 0 || length === most) return bytes.subarray(0, length);
    }
  } finally {
    closeSync(file);
  }
}
