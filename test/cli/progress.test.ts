/** The bar of long work: drawn on a terminal only, never between its lines. */
import { Writable } from 'node:stream';
import { expect } from 'chai';
import { createProgress } from '../../src/cli/progress.js';

function stream(isTTY: boolean): { readonly stream: NodeJS.WriteStream; readonly text: () => string } {
  const chunks: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  return {
    stream: Object.assign(sink, { isTTY, columns: 80, rows: 24 }) as unknown as NodeJS.WriteStream,
    text: () => chunks.join(''),
  };
}

describe('the progress bar', () => {
  it('is drawn on a terminal with its note, and lines stand beside it', () => {
    const terminal = stream(true);
    const progress = createProgress(terminal.stream, 100);
    progress.update(50, 'accepted 5');
    progress.line('line 3: invalid_job: no');
    progress.update(1000, 'accepted 10');
    progress.stop();
    expect(terminal.text()).to.include('100% | accepted 10').and.to.include('line 3: invalid_job: no\n');
  });

  it('is left out where there is no terminal or no known end', () => {
    for (const [isTTY, total] of [
      [false, 100],
      [true, undefined],
      [true, 0],
    ] as const) {
      const target = stream(isTTY);
      const progress = createProgress(target.stream, total);
      progress.update(50, 'accepted 5');
      progress.line('a line');
      progress.stop();
      expect(target.text()).to.equal('a line\n');
    }
  });
});
