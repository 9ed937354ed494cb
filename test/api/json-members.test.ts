/** The members of an object as they are written. */
import { expect } from 'chai';
import fc from 'fast-check';
import { membersOf } from '../../src/api/json-members.js';

describe('the members of a JSON object', () => {
  it('are the texts of their values, whatever these hold', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(0, 2), (object, indent) => {
        const members = membersOf(JSON.stringify(object, null, indent));
        const read = Object.fromEntries([...members].map(([name, text]) => [name, JSON.parse(text)]));
        expect(read).to.deep.equal(JSON.parse(JSON.stringify(object)));
      }),
    );
  });

  it('keep numbers as they are written', () => {
    const text = ' {"a":9007199254740993 , "b" : {"c":[1.10,{"d":12345678901234567890}]},"e":1E400}\n';
    expect([...membersOf(text)]).to.deep.equal([
      ['a', '9007199254740993'],
      ['b', '{"c":[1.10,{"d":12345678901234567890}]}'],
      ['e', '1E400'],
    ]);
  });

  it('of one name are the last', () => {
    expect([...membersOf('{"a":1,"\\u0061":2}')]).to.deep.equal([['a', '2']]);
    expect([...membersOf('{}')]).to.deep.equal([]);
  });
});
