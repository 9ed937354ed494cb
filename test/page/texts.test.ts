import { expect } from 'chai';
import fc from 'fast-check';
import { duration, rate, short } from '../../src/page/format.js';
import { faultOfJson, indented, isSame } from '../../src/page/json-text.js';
import { hrefOf, routeOf } from '../../src/page/routes.js';

describe('the texts of the page', () => {
  it('give times in two units at most', () => {
    expect([0, 999, 12_300, 250_000, 7_200_000, 273_600_000].map(duration)).to.deep.equal([
      '0 ms',
      '999 ms',
      '12 s',
      '4 min 10 s',
      '2 h',
      '3 d 4 h',
    ]);
  });

  it('give rates so that a little is not nothing', () => {
    expect([0, 0.02, 0.25, 12.34, 1203.4].map(rate)).to.deep.equal(['0', '< 0.1', '0.3', '12.3', '1,203']);
  });

  it('cut what is too long, and say so', () => {
    expect([short('abcd', 4), short('abcde', 4)]).to.deep.equal(['abcd', 'abc…']);
  });

  describe('of JSON', () => {
    it('keep every number as it was written', () => {
      const text = '{"id":12345678901234567890,"x":1.50,"list":[],"none":{},"s":"a,{}:\\"\\\\"}';
      expect(indented(text)).to.equal(
        '{\n  "id": 12345678901234567890,\n  "x": 1.50,\n  "list": [],\n  "none": {},\n  "s": "a,{}:\\"\\\\"\n}',
      );
    });
    it('mean the same as before, whatever the JSON', () => {
      fc.assert(
        fc.property(fc.jsonValue(), (value) => {
          const text = JSON.stringify(value);
          expect(JSON.parse(indented(text))).to.deep.equal(JSON.parse(text));
          expect(isSame(text, JSON.stringify(value, null, 3))).to.equal(true);
        }),
      );
    });
    it('say what is wrong with what is none', () => {
      expect(faultOfJson('{"a":1}')).to.equal(undefined);
      expect(faultOfJson('  ')).to.equal('write JSON here');
      expect(faultOfJson('{"a":}')).to.be.a('string');
    });
  });
});

describe('the addresses of the page', () => {
  it('lead to a view, one thing in it, or a list that is narrowed', () => {
    expect(routeOf('')).to.deep.equal({ view: 'overview', id: undefined, filter: {} });
    expect(routeOf('#/dead/e5b5d3c98118b640')).to.deep.equal({
      view: 'dead',
      id: 'e5b5d3c98118b640',
      filter: {},
    });
    expect(routeOf('#/jobs?state=dead')).to.deep.equal({
      view: 'jobs',
      id: undefined,
      filter: { state: 'dead' },
    });
    expect(routeOf('#/nowhere/%E0%A4%A')).to.include({ view: 'overview' });
  });
  it('are read as they are written', () => {
    const href = hrefOf('jobs', 'a/b?c#d', { type: 'x&y', queue: '' });
    expect(routeOf(href)).to.deep.equal({ view: 'jobs', id: 'a/b?c#d', filter: { type: 'x&y' } });
  });
});
