import { expect } from 'chai';
import fc from 'fast-check';
import { retryAfterMs } from '../../workers/retry-after.js';

const now = Date.UTC(2025, 7, 20, 12, 0, 0);

describe('retryAfterMs', () => {
  const cases: readonly [header: string | readonly string[] | undefined, waitMs: number | undefined][] = [
    ['1', 1_000],
    ['120', 120_000],
    [' 7 ', 7_000],
    ['999999999999', 999_999_999_999_000],
    [['5', '9'], 5_000],
    ['Wed, 20 Aug 2025 12:00:30 GMT', 30_000],
    ['Wednesday, 20-Aug-25 12:01:00 GMT', 60_000],
    ['Wed Aug 20 12:00:05 2025', 5_000],
    ['Sat Sep  6 12:00:00 2025', 17 * 86_400_000],
    [undefined, undefined],
    [[], undefined],
    ['', undefined],
    ['0', undefined],
    ['Wed, 20 Aug 2025 11:59:59 GMT', undefined],
    ['-5', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    ['soon', undefined],
    ['5 minutes', undefined],
    ['2025-08-20T12:00:30Z', undefined],
    ['Wed, 20 Aug 2025 12:00:30 +0200', undefined],
    ['Wed, 99 Aug 2025 12:00:30 GMT', undefined],
    ['9'.repeat(400), undefined],
  ];
  for (const [header, waitMs] of cases) {
    it(`reads ${JSON.stringify(header)?.slice(0, 60)} as ${waitMs === undefined ? 'nothing' : `${waitMs} ms`}`, () => {
      expect(retryAfterMs(header, now)).to.equal(waitMs);
    });
  }

  it('reads back any number of seconds, and any date of HTTP', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), (seconds) => {
        expect(retryAfterMs(String(seconds), now)).to.equal(seconds * 1000);
        expect(retryAfterMs(new Date(now + seconds * 1000).toUTCString(), now)).to.equal(seconds * 1000);
      }),
    );
  });

  it('gives nothing or a positive number, whatever a server sends', () => {
    fc.assert(
      fc.property(fc.string(), (header) => {
        const waitMs = retryAfterMs(header, now);
        expect(waitMs === undefined || (Number.isFinite(waitMs) && waitMs > 0)).to.equal(true);
      }),
    );
  });
});
