/** The bar of long work: drawn on a terminal only, never between its lines. */
import { expect } from 'chai';
import { createProgress } from '../../src/cli/progress.js';
import { fakeTerminal } from './fake-terminal.js';

describe('the progress bar', () => {
  it('is drawn on a terminal with its note, and lines stand beside it', () => {
    const terminal = fakeTerminal(true);
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
      const target = fakeTerminal(isTTY);
      const progress = createProgress(target.stream, total);
      progress.update(50, 'accepted 5');
      progress.line('a line');
      progress.stop();
      expect(target.text()).to.equal('a line\n');
    }
  });
});
