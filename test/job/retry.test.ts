import { expect } from 'chai';
import fc from 'fast-check';
import { Cancelled, DeadLetter, RetryLater, Undecodable } from '../../src/job/errors.js';
import type { Outcome } from '../../src/job/outcome.js';
import { decideOutcome, longestDelayMs, nextDelayMs } from '../../src/job/retry.js';

const backoff = { baseMs: 1000, maxMs: 600_000 };
const almostOne = (): number => 1 - Number.EPSILON;

describe('the backoff', () => {
  for (const [attempt, below] of [
    [1, 1000],
    [2, 2000],
    [3, 4000],
    [5, 16_000],
    [10, 512_000],
    [11, 600_000],
    [1000, 600_000],
    [Number.MAX_SAFE_INTEGER, 600_000],
  ] as const) {
    it(`waits below ${below} ms after attempt ${attempt}`, () => {
      expect(nextDelayMs(attempt, backoff, almostOne)).to.equal(below - 1);
      expect(nextDelayMs(attempt, backoff, () => 0)).to.equal(0);
      expect(nextDelayMs(attempt, backoff, () => 0.5)).to.equal(below / 2);
    });
  }

  it('is a whole number from 0 and below the ceiling for every attempt', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.integer({ min: 0, max: 1_000_000_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, baseMs, more, chance) => {
          const maxMs = baseMs + more;
          const delayMs = nextDelayMs(attempt, { baseMs, maxMs }, () => chance);
          expect(Number.isSafeInteger(delayMs)).to.equal(true);
          expect(delayMs).to.be.at.least(0).and.below(maxMs);
          if (attempt === 1) expect(delayMs).to.be.below(baseMs);
        },
      ),
    );
  });
});

describe('the outcome of an attempt', () => {
  const policy = { maxAttempts: 3, backoff };
  const ofThrown = (thrown: unknown, attempt = 1): Outcome =>
    decideOutcome({ kind: 'thrown', thrown }, attempt, policy, () => 0.5);

  it('is succeeded when the handler returned, with its value', () => {
    expect(decideOutcome({ kind: 'returned', value: { n: 1 } }, 3, policy, () => 0.5)).to.deep.equal({
      kind: 'succeeded',
      result: { n: 1 },
    });
  });

  it('is succeeded when the handler returned nothing', () => {
    expect(decideOutcome({ kind: 'returned', value: undefined }, 1, policy, () => 0.5)).to.deep.equal({
      kind: 'succeeded',
      result: undefined,
    });
  });

  it('is dead, expired, when it came too late, with attempts left or not', () => {
    const outcome = decideOutcome({ kind: 'expired', expiresAtMs: 5 }, 1, policy, () => 0.5);
    expect(outcome).to.deep.include({ kind: 'dead', reason: 'expired' });
    expect(outcome).to.have.nested.property('failure.code', 'expired');
  });

  for (const [by, code] of [
    ['order', 'cancelled'],
    ['purge', 'purged'],
  ] as const) {
    it(`is cancelled by ${by}, with attempts left or not`, () => {
      for (const attempt of [1, 3]) {
        const outcome = decideOutcome({ kind: 'cancelled', by }, attempt, policy, () => 0.5);
        expect(outcome).to.have.property('kind', 'cancelled');
        expect(outcome).to.have.nested.property('failure.code', code);
      }
    });
  }

  for (const attempt of [1, 2, 3, 4]) {
    it(`is dead, permanent, after DeadLetter at attempt ${attempt} of 3`, () => {
      const outcome = ofThrown(new DeadLetter('no such customer'), attempt);
      expect(outcome).to.include({ kind: 'dead', reason: 'permanent' });
      expect(outcome).to.have.nested.property('failure.message', 'no such customer');
    });

    it(`is cancelled after Cancelled at attempt ${attempt} of 3`, () => {
      expect(ofThrown(new Cancelled(), attempt)).to.have.property('kind', 'cancelled');
    });

    it(`is dead, undecodable, after Undecodable at attempt ${attempt} of 3`, () => {
      expect(ofThrown(new Undecodable('no JSON'), attempt)).to.include({
        kind: 'dead',
        reason: 'undecodable',
      });
    });
  }

  for (const [what, thrown] of [
    ['an error', new Error('x')],
    ['undefined', undefined],
    ['a string', 'DeadLetter'],
    ['a number', Number.NaN],
    ['a hostile proxy', new Proxy({}, { get: () => Promise.reject, getPrototypeOf: () => null })],
  ] as const) {
    it(`is retried after ${what} while attempts are left, then dead, exhausted`, () => {
      expect(ofThrown(thrown, 1)).to.include({ kind: 'retried', delayMs: 500 });
      expect(ofThrown(thrown, 2)).to.include({ kind: 'retried', delayMs: 1000 });
      expect(ofThrown(thrown, 3)).to.include({ kind: 'dead', reason: 'exhausted' });
      expect(ofThrown(thrown, 4)).to.include({ kind: 'dead', reason: 'exhausted' });
    });
  }

  it('is retried after a proxy whose every trap throws', () => {
    const refuse = (): never => {
      throw new Error('no');
    };
    const thrown = new Proxy({}, { get: refuse, getPrototypeOf: refuse, has: refuse, ownKeys: refuse });
    expect(ofThrown(thrown)).to.have.property('kind', 'retried');
  });

  for (const [askedMs, delayMs] of [
    [0, 0],
    [1, 1],
    [1.2, 2],
    [86_400_000, 86_400_000],
    [longestDelayMs + 1, longestDelayMs],
    [Number.POSITIVE_INFINITY, longestDelayMs],
  ] as const) {
    it(`is retried after ${delayMs} ms when RetryLater asks for ${askedMs}`, () => {
      expect(ofThrown(new RetryLater(askedMs))).to.include({ kind: 'retried', delayMs });
    });
  }

  for (const wrong of [Number.NaN, -1, Number.NEGATIVE_INFINITY, '5', undefined, {}]) {
    it(`is retried after the usual backoff, and says so, when RetryLater asks for ${JSON.stringify(wrong)} (${typeof wrong})`, () => {
      const outcome = ofThrown(new RetryLater(wrong as number, 'later'));
      expect(outcome).to.include({ kind: 'retried', delayMs: 500 });
      expect(outcome).to.have.nested.property('failure.message').that.includes('usual backoff');
    });
  }

  it('is dead, exhausted, when RetryLater comes at the last attempt: it costs one', () => {
    expect(ofThrown(new RetryLater(10), 2)).to.have.property('kind', 'retried');
    expect(ofThrown(new RetryLater(10), 3)).to.include({ kind: 'dead', reason: 'exhausted' });
  });

  it("recognises the control errors of another copy of the package by their name, and a class of the user's by its parent", () => {
    class ForeignDeadLetter extends Error {
      override readonly name = 'DeadLetter';
    }
    class ForeignRetryLater extends Error {
      override readonly name = 'RetryLater';
      readonly delayMs = 77;
    }
    class ForeignCancelled extends Error {
      override readonly name = 'Cancelled';
    }
    class NoSuchCustomer extends DeadLetter {
      override readonly name = 'NoSuchCustomer';
    }
    expect(ofThrown(new ForeignDeadLetter('x'))).to.include({ kind: 'dead', reason: 'permanent' });
    expect(ofThrown(new ForeignRetryLater('x'))).to.include({ kind: 'retried', delayMs: 77 });
    expect(ofThrown(new ForeignCancelled('x'))).to.include({ kind: 'cancelled' });
    expect(ofThrown(new NoSuchCustomer('x'))).to.include({ kind: 'dead', reason: 'permanent' });
  });

  it('never throws and never grants more than maxAttempts, whatever was thrown', () => {
    fc.assert(
      fc.property(
        fc.anything(),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 50 }),
        (thrown, attempt, maxAttempts) => {
          const outcome = decideOutcome(
            { kind: 'thrown', thrown },
            attempt,
            { maxAttempts, backoff },
            () => 0.9,
          );
          expect(outcome.kind).to.equal(attempt < maxAttempts ? 'retried' : 'dead');
        },
      ),
    );
  });
});
