/** A stream that is a terminal, or is none, and what was written to it. */
import { Writable } from 'node:stream';

export interface FakeTerminal {
  readonly stream: NodeJS.WriteStream;
  text(): string;
}

export function fakeTerminal(isTTY: boolean, { rows = 24 } = {}): FakeTerminal {
  const chunks: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  return {
    stream: Object.assign(sink, { isTTY, columns: 80, rows }) as unknown as NodeJS.WriteStream,
    text: () => chunks.join(''),
  };
}
