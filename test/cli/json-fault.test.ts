/** The place where a text stops being JSON. */
import { expect } from 'chai';
import fc from 'fast-check';
import { faultPosition, jsonFault } from '../../src/cli/json-fault.js';

describe('a JSON fault', () => {
  it('is told with line and column', () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ['', /^it is empty$/],
      [' \n', /^it is empty$/],
      ['abc', /line 1, column 1, near "abc"/],
      ['{"a":x}', /line 1, column 6, near "x}"/],
      ['{\n  "a": 1,\n}', /line 3, column 1, near "}"/],
      ["{'a':1}", /line 1, column 2/],
      ['{"a" 1}', /line 1, column 6/],
      ['[1 2]', /line 1, column 4/],
      ['[1,]', /line 1, column 4/],
      ['1 2', /line 1, column 3/],
      ['01', /line 1, column 2/],
      ['"a\tb"', /line 1, column 1/],
      ['{"a":1', /^it ends too early, at line 1, column 7$/],
      ['[[', /^it ends too early/],
    ];
    for (const [text, fault] of cases) expect(jsonFault(text), text).to.match(fault);
  });

  it('is none for whatever JSON.parse takes', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(jsonFault(text)).to.equal(undefined);
        expect(faultPosition(text)).to.equal(text.length);
      }),
    );
  });

  it('is found in every text that JSON.parse refuses, behind what could still have become JSON', () => {
    const nearly = fc.tuple(fc.json(), fc.nat(), fc.string({ maxLength: 3 })).map(([text, at, more]) => {
      const cut = at % (text.length + 1);
      return text.slice(0, cut) + more + text.slice(cut);
    });
    fc.assert(
      fc.property(nearly, (text) => {
        const fault = jsonFault(text);
        if (fault === undefined) return;
        const at = faultPosition(text);
        expect(at).to.be.at.least(0).and.at.most(text.length);
        // What stands before the fault is whole: the scan of it alone gets just as far.
        expect(faultPosition(text.slice(0, at))).to.equal(at);
      }),
      { numRuns: 500 },
    );
  });

  it('is found at any depth and length', () => {
    expect(faultPosition('['.repeat(200_000))).to.equal(200_000);
    expect(jsonFault(`{"a":"${'x'.repeat(20_000_000)}",}`)).to.match(/near "}"/);
    expect(jsonFault(`["${'\\n'.repeat(5_000_000)}" 1]`)).to.match(/near "1\]"/);
  });
});
