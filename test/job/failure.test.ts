import { expect } from 'chai';
import fc from 'fast-check';
import { failureLimits, failureOf, propertyOf } from '../../src/job/failure.js';

const errorWithStack = new Error('never read');
// Reading the stack makes it: made later, it would read the hostile name.
void errorWithStack.stack;
const hostileGetters = Object.defineProperties(errorWithStack, {
  name: {
    get() {
      throw new Error('no name for you');
    },
  },
  message: {
    get() {
      throw new Error('no message for you');
    },
  },
  stack: {
    get() {
      throw new Error('no stack for you');
    },
  },
});
const hostileText = {
  toString() {
    throw new Error('no text for you');
  },
  [Symbol.toPrimitive]() {
    throw new Error('nothing for you');
  },
};
const hostileProxy = new Proxy(
  {},
  {
    get() {
      throw new Error('no property for you');
    },
    getPrototypeOf() {
      throw new Error('no prototype for you');
    },
  },
);
const revoked = Proxy.revocable({}, {});
revoked.revoke();
const ownCause: { message: string; stack: string; cause?: unknown } = {
  message: 'loop',
  stack: 'loop stack',
};
ownCause.cause = ownCause;

describe('a failure as data', () => {
  const cases: readonly (readonly [string, unknown, { name: string; message: string }])[] = [
    ['an error', new TypeError('bad'), { name: 'TypeError', message: 'bad' }],
    ['a string', 'just text', { name: 'NonError', message: 'just text' }],
    ['undefined', undefined, { name: 'NonError', message: 'threw undefined' }],
    ['null', null, { name: 'NonError', message: 'threw null' }],
    ['a number', 42, { name: 'NonError', message: 'threw 42' }],
    ['a symbol', Symbol('s'), { name: 'NonError', message: 'threw Symbol(s)' }],
    ['a plain object', { status: 500 }, { name: 'NonError', message: 'threw { status: 500 }' }],
    ['an object like an error', { name: 'Odd', message: 'm' }, { name: 'Odd', message: 'm' }],
    [
      'an error with a code and no message',
      Object.assign(new Error(''), { code: 'ECONNREFUSED' }),
      { name: 'Error', message: 'ECONNREFUSED' },
    ],
  ];
  for (const [what, thrown, expected] of cases) {
    it(`describes ${what}`, () => {
      expect(failureOf(thrown)).to.include(expected);
    });
  }

  for (const [what, thrown] of [
    ['getters that throw', hostileGetters],
    ['a toString that throws', hostileText],
    ['a proxy that throws', hostileProxy],
    ['a revoked proxy', revoked.proxy],
    ['a function', () => {}],
    ['an object without a prototype', Object.create(null)],
    ['a cause that is its own cause', ownCause],
  ] as const) {
    it(`survives ${what}`, () => {
      const failure = failureOf(thrown);
      expect(failure.name).to.be.a('string').and.not.equal('');
      expect(failure.message).to.be.a('string').and.not.equal('');
    });
  }

  it('keeps the stacks of three causes and no more', () => {
    const fifth = new Error('fifth');
    const fourth = new Error('fourth', { cause: fifth });
    const third = new Error('third', { cause: fourth });
    const second = new Error('second', { cause: third });
    const { stack } = failureOf(new Error('first', { cause: second }));
    expect(stack).to.include('first').and.include('caused by: Error: second').and.include('Error: fourth');
    expect(stack).not.to.include('fifth');
  });

  it('keeps a code that is a text or a number', () => {
    expect(failureOf(Object.assign(new Error('x'), { code: 'E1' })).code).to.equal('E1');
    expect(failureOf(Object.assign(new Error('x'), { code: 7 })).code).to.equal('7');
    expect(failureOf(Object.assign(new Error('x'), { code: {} }))).not.to.have.property('code');
  });

  it('caps every part', () => {
    const long = 'x'.repeat(1_000_000);
    const failure = failureOf({ name: long, message: long, code: long, stack: long, cause: { stack: long } });
    expect(failure.name).to.have.length(failureLimits.name);
    expect(failure.message).to.have.length(failureLimits.message);
    expect(failure.code).to.have.length(failureLimits.code);
    expect(failure.stack).to.have.length(failureLimits.stack);
  });

  it('is made of anything without throwing, and always small', () => {
    fc.assert(
      fc.property(
        fc.anything({ withNullPrototype: true, withSparseArray: true, withBigInt: true }),
        (thrown) => {
          const failure = failureOf(thrown);
          expect(failure.message.length).to.be.at.most(failureLimits.message);
          expect(JSON.parse(JSON.stringify(failure))).to.deep.equal(failure);
        },
      ),
    );
  });
});

describe('a property of anything', () => {
  it('is undefined where there is none to read', () => {
    expect(propertyOf(undefined, 'x')).to.equal(undefined);
    expect(propertyOf('text', 'length')).to.equal(undefined);
    expect(propertyOf(hostileProxy, 'x')).to.equal(undefined);
    expect(propertyOf({ x: 1 }, 'x')).to.equal(1);
  });
});
