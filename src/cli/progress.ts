/** The progress bar of long work: on a terminal only, and lines that are written above it. */
import { MultiBar } from 'cli-progress';

export interface Progress {
  /** `done` of `total` units, and a few words on how it goes. */
  update(done: number, note: string): void;
  /** Writes a line without tearing the bar. */
  line(text: string): void;
  /** Draws the last state. Works twice. */
  stop(): void;
}

/** `total` undefined (a pipe) or no terminal: no bar, only the lines. */
export function createProgress(stream: NodeJS.WriteStream, total: number | undefined): Progress {
  if (!stream.isTTY || total === undefined || total === 0) {
    return { update: () => undefined, line: (text) => void stream.write(`${text}\n`), stop: () => undefined };
  }
  // Its `gracefulExit` would swallow the first Ctrl-C; so nothing is changed on the terminal that would have to be restored.
  const settings = {
    format: '{bar} {percentage}% | {note}',
    gracefulExit: false,
    hideCursor: false,
    linewrap: true,
  };
  const bars = new MultiBar({ stream, ...settings });
  const bar = bars.create(total, 0, { note: '' });
  return {
    update: (done, note) => bar.update(Math.min(done, total), { note }),
    line: (text) => bars.log(`${text}\n`),
    stop: () => {
      if (!bars.isActive) return;
      // Lines still in its buffer are written by an update only.
      bars.update();
      bars.stop();
    },
  };
}
