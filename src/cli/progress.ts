/** The progress bar of long work: on a terminal only, and lines that are written above it. */
import { MultiBar } from 'cli-progress';

export interface Progress {
  /** `done` of `total` units, and a few words on how it goes. */
  update(done: number, note: string): void;
  /** Writes a line without tearing the bar. */
  line(text: string): void;
  stop(): void;
}

/** `total` undefined (a pipe) or no terminal: no bar, only the lines. */
export function createProgress(stream: NodeJS.WriteStream, total: number | undefined): Progress {
  if (!stream.isTTY || total === undefined || total === 0) {
    return { update: () => undefined, line: (text) => void stream.write(`${text}\n`), stop: () => undefined };
  }
  const bars = new MultiBar({
    stream,
    format: '{bar} {percentage}% | {note}',
    hideCursor: true,
    clearOnComplete: false,
  });
  const bar = bars.create(total, 0, { note: '' });
  return {
    update: (done, note) => bar.update(Math.min(done, total), { note }),
    line: (text) => bars.log(`${text}\n`),
    stop: () => bars.stop(),
  };
}
