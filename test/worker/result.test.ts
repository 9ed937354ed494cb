import { expect } from 'chai';
import fc from 'fast-check';
import { resultText } from '../../src/worker/result.js';

const never = (error: unknown): never => {
  throw error;
};

describe('the text of a result', () => {
  it('is JSON, and nothing when there is no result', () => {
    expect(resultText(undefined, 10, never)).to.deep.equal({});
    expect(resultText(null, 10, never)).to.deep.equal({ result: 'null' });
    expect(resultText({ a: [1] }, 100, never)).to.deep.equal({ result: '{"a":[1]}' });
  });

  for (const [what, value] of [
    [
      'a cycle',
      (() => {
        const self: unknown[] = [];
        self.push(self);
        return self;
      })(),
    ],
    ['a BigInt', { n: 1n }],
    ['a symbol', Symbol('s')],
  ] as const) {
    it(`is nothing, with the reason, when it is ${what}`, () => {
      const refused: unknown[] = [];
      expect(resultText(value, 100, (error) => refused.push(error))).to.deep.equal({});
      expect(refused[0]).to.be.instanceOf(TypeError);
    });
  }

  it('is nothing but its size when nothing may be kept', () => {
    expect(resultText({ a: 1 }, 0, never)).to.deep.equal({ result: '', cutFrom: 7 });
  });

  it('is whole up to its limit in bytes', () => {
    expect(resultText('üü', 6, never)).to.deep.equal({ result: '"üü"' });
    expect(resultText('üü', 5, never)).to.deep.equal({ result: '"üü', cutFrom: 6 });
    expect(resultText('üü', 4, never)).to.deep.equal({ result: '"ü', cutFrom: 6 });
  });

  it('is the longest beginning that fits, of whole characters, whatever the value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.integer({ min: 1, max: 60 }), (value, maxBytes) => {
        const whole = JSON.stringify(value);
        const { result = '', cutFrom } = resultText(value, maxBytes, never);
        expect(whole.startsWith(result)).to.equal(true);
        expect(Buffer.from(result).toString()).to.equal(result);
        expect(Buffer.byteLength(result)).to.be.at.most(maxBytes);
        if (cutFrom === undefined) expect(result).to.equal(whole);
        else {
          expect(cutFrom).to.equal(Buffer.byteLength(whole)).and.above(maxBytes);
          const next = String.fromCodePoint(whole.codePointAt(result.length) ?? 0);
          expect(Buffer.byteLength(result + next)).to.be.above(maxBytes);
        }
      }),
    );
  });
});
