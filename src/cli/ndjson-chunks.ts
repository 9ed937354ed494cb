/** Cuts a stream of NDJSON into requests that a server takes, without holding more than one of them. */

export interface Chunk {
  readonly kind: 'chunk';
  readonly body: Buffer<ArrayBuffer>;
  /** The number in the file, from 1, of each line of the body: blank lines are left out. */
  readonly lines: readonly number[];
}

/** A line that fits into no request. */
export interface LongLine {
  readonly kind: 'long-line';
  readonly line: number;
}

export interface ChunkLimits {
  readonly lines: number;
  readonly bytes: number;
}

const newline = 0x0a;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** Yields in the order of the file. Holds at most `limits.bytes` of a chunk and as much of the line that is being read. */
export async function* chunksOf(
  input: AsyncIterable<Buffer>,
  limits: ChunkLimits,
): AsyncGenerator<Chunk | LongLine> {
  let ready: Buffer[] = [];
  let readyBytes = 0;
  let numbers: number[] = [];
  const takeChunk = (): Chunk => {
    const chunk: Chunk = { kind: 'chunk', body: Buffer.concat(ready, readyBytes), lines: numbers };
    ready = [];
    readyBytes = 0;
    numbers = [];
    return chunk;
  };
  for await (const { number, bytes } of linesOf(input, limits.bytes - 1)) {
    if (bytes === undefined) {
      yield { kind: 'long-line', line: number };
      continue;
    }
    if (isBlank(bytes)) continue;
    if (numbers.length === limits.lines || readyBytes + bytes.length + 1 > limits.bytes) yield takeChunk();
    ready.push(bytes, Buffer.of(newline));
    readyBytes += bytes.length + 1;
    numbers.push(number);
  }
  if (numbers.length > 0) yield takeChunk();
}

interface Line {
  readonly number: number;
  /** Absent when it was longer than allowed; it is skipped without being kept. */
  readonly bytes: Buffer | undefined;
}

async function* linesOf(input: AsyncIterable<Buffer>, mostBytes: number): AsyncGenerator<Line> {
  let number = 1;
  let parts: Buffer[] = [];
  let length = 0;
  const add = (part: Buffer): void => {
    length += part.length;
    if (length <= mostBytes) parts.push(part);
    else parts = [];
  };
  const takeLine = (): Line => {
    const bytes = length > mostBytes ? undefined : Buffer.concat(parts, length);
    const line = { number, bytes: number === 1 && bytes !== undefined ? withoutMark(bytes) : bytes };
    parts = [];
    length = 0;
    number += 1;
    return line;
  };
  for await (const piece of input) {
    let from = 0;
    for (let at = piece.indexOf(newline); at !== -1; at = piece.indexOf(newline, from)) {
      add(piece.subarray(from, at));
      yield takeLine();
      from = at + 1;
    }
    if (from < piece.length) add(piece.subarray(from));
  }
  if (length > 0) yield takeLine();
}

/** RFC 8259, section 8.1: a byte order mark is no part of JSON. */
function withoutMark(bytes: Buffer): Buffer {
  return bytes.subarray(0, 3).equals(byteOrderMark) ? bytes.subarray(3) : bytes;
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
