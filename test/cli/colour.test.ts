/** Colours: where a person looks, and wants them. */
import { WriteStream } from 'node:tty';
import { expect } from 'chai';
import { painterOf } from '../../src/cli/colour.js';
import { fakeTerminal } from './fake-terminal.js';

describe('a colour', () => {
  it('is on a terminal, around its text', () => {
    const paint = painterOf(fakeTerminal(true).stream);
    expect(paint('red', 'dead')).to.equal('\u001b[31mdead\u001b[39m');
    expect(paint('plain', 'dead')).to.equal('dead');
  });

  it('is not where there is no terminal, or where NO_COLOR asks for none', () => {
    expect(painterOf(fakeTerminal(false).stream)('red', 'dead')).to.equal('dead');
    const { stream } = fakeTerminal(true);
    const getColorDepth = (env: object): number => WriteStream.prototype.getColorDepth(env);
    const depthOf = (env: object) => Object.assign(stream, { getColorDepth: () => getColorDepth(env) });
    expect(painterOf(depthOf({ TERM: 'xterm', NO_COLOR: '1' }))('red', 'dead')).to.equal('dead');
    expect(painterOf(depthOf({ TERM: 'dumb' }))('red', 'dead')).to.equal('dead');
    expect(painterOf(depthOf({ TERM: 'xterm' }))('red', 'dead')).to.not.equal('dead');
  });
});
