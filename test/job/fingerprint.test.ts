import { expect } from 'chai';
import fc from 'fast-check';
import { fingerprintOf } from '../../src/job/fingerprint.js';

const of = (message: string): string => fingerprintOf('echo', { name: 'Error', message });

describe('the fingerprint of an error', () => {
  const alike: readonly (readonly [what: string, one: string, other: string])[] = [
    ['numbers', 'timed out after 1500 ms', 'timed out after 30 ms'],
    ['signs and fractions', 'balance is -5.25', 'balance is 1,200'],
    ['addresses', 'connect ECONNREFUSED 10.0.0.7:5432', 'connect ECONNREFUSED 127.0.0.1:80'],
    ['times', 'since 2026-01-01T10:00:00.000Z', 'since 2025-12-31T09:59:59.999Z'],
    ['UUIDs', 'no user 0192f3a0-1111-7abc-8def-abcdefabcdef', 'no user ffffffff-ffff-4fff-bfff-ffffffffffff'],
    ['hex', 'digest deadbeefcafe', 'digest 00ff00ff'],
    ['ids', 'no customer cus_Nf8s0Kd', 'no customer cus_9xPq'],
    ['quoted strings', 'no column "name"', 'no column "age of the captain"'],
    ['quotes of other kinds', "cannot read 'a b'", "cannot read 'c'"],
  ];
  for (const [what, one, other] of alike) {
    it(`looks past ${what}`, () => {
      expect(of(one)).to.equal(of(other));
    });
  }

  it('tells other messages apart, and apostrophes quote nothing', () => {
    expect(of("can't open the file, it isn't there")).not.to.equal(of("can't read the file, it isn't there"));
  });

  it('looks at no more of a message than a failure keeps', () => {
    const long = 'no luck '.repeat(250);
    expect(of(`${long}one`)).to.equal(of(`${long}other`));
  });

  it('tells types, names and codes apart', () => {
    const failure = { name: 'Error', message: 'm' };
    const prints = [
      fingerprintOf('a', failure),
      fingerprintOf('b', failure),
      fingerprintOf('a', { ...failure, name: 'TypeError' }),
      fingerprintOf('a', { ...failure, code: 'E1' }),
    ];
    expect(new Set(prints).size).to.equal(4);
  });

  it('is 16 hex digits of any message, and the stack does not matter', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (message, stack) => {
        const print = fingerprintOf('echo', { name: 'Error', message, stack });
        expect(print).to.match(/^[0-9a-f]{16}$/);
        expect(print).to.equal(of(message));
      }),
    );
  });
});
