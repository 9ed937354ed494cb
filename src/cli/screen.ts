/** The screen of a live view: a page of the terminal's own, drawn over in place, and the terminal as it was behind it. */

export interface Screen {
  draw(lines: readonly string[]): void;
  /** Gives the terminal back, and leaves the lines drawn last on it. Works twice. */
  close(): void;
}

/** Private modes of xterm and its kin: the other page, the cursor, and lines that go on in the next row. */
const enter = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const leave = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const home = '\u001b[H';
const clearLine = '\u001b[K';
const clearBelow = '\u001b[J';

export function createScreen(stream: NodeJS.WriteStream): Screen {
  let last: readonly string[] = [];
  let isOpen = true;
  stream.write(enter);
  return {
    draw(lines) {
      last = lines;
      stream.write(home + lines.map((line) => line + clearLine).join('\r\n') + clearBelow);
    },
    close() {
      if (!isOpen) return;
      isOpen = false;
      stream.write(leave + last.map((line) => `${line}\n`).join(''));
    },
  };
}
