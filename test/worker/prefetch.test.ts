import { expect } from 'chai';
import fc from 'fast-check';
import { lanes } from '../../src/job/job.js';
import { leastShare } from '../../src/worker/lane.js';
import {
  prefetchOf,
  timeoutWarning,
  totalPrefetch,
  usualConsumerTimeoutMs,
} from '../../src/worker/prefetch.js';

const usual = { concurrency: 10, timeoutMs: 60_000, consumerTimeoutMs: usualConsumerTimeoutMs };

describe('the prefetch', () => {
  it('keeps the slots busy over a round trip, and less is held of the lanes that wait longer', () => {
    expect(prefetchOf(usual)).to.deep.equal({ high: 49, normal: 30, low: 10 });
  });

  it('holds what runs, what runs next, and what has ended but is not recorded yet', () => {
    const quick = (concurrency: number) =>
      prefetchOf({ concurrency, timeoutMs: 1000, consumerTimeoutMs: Number.POSITIVE_INFINITY }).low;
    expect(quick(1)).to.equal(1 + 20 + 20);
    expect(quick(10)).to.equal(10 + 32 + 200);
    expect(quick(100)).to.equal(2 * 100 + 1024);
    expect(quick(1000)).to.equal(2 * 1000 + 1024);
  });

  it('falls to the concurrency when jobs may take very long', () => {
    expect(prefetchOf({ ...usual, timeoutMs: 3_600_000 })).to.deep.equal({ high: 10, normal: 10, low: 10 });
  });

  it('follows the time that jobs take: fast ones need many in hand, slow ones are not hoarded', () => {
    const seen = (concurrency: number, meanMs: number, slowestMs: number) =>
      prefetchOf({ ...usual, concurrency, measured: { meanMs, slowestMs } });
    expect(seen(1, 0.2, 1)).to.deep.equal({ high: 41, normal: 41, low: 41 });
    expect(seen(10, 0.2, 1)).to.deep.equal({ high: 242, normal: 242, low: 242 });
    expect(seen(10, 5_000, 5_000)).to.deep.equal({ high: 30, normal: 30, low: 30 });
    expect(seen(10, 60_000, 600_000)).to.deep.equal({ high: 10, normal: 10, low: 10 });
  });

  it('is what the setting says', () => {
    expect(prefetchOf({ ...usual, override: 3 })).to.deep.equal({ high: 3, normal: 3, low: 3 });
  });

  it('lets no delivery beyond the slots wait half the consumer timeout, whatever the numbers', () => {
    const number = (max: number) => fc.integer({ min: 1, max });
    fc.assert(
      fc.property(
        number(1000),
        number(86_400_000),
        number(86_400_000),
        (concurrency, timeoutMs, consumerTimeoutMs) => {
          const prefetch = prefetchOf({ concurrency, timeoutMs, consumerTimeoutMs });
          for (const lane of lanes) {
            expect(prefetch[lane]).to.be.at.least(concurrency);
            if (prefetch[lane] === concurrency) continue;
            const longestWaitMs = (prefetch[lane] / (leastShare[lane] * concurrency)) * timeoutMs;
            expect(longestWaitMs).to.be.at.most(consumerTimeoutMs / 2 + 1e-6);
          }
        },
      ),
    );
  });

  it('adds up over the lanes', () => {
    expect(totalPrefetch({ high: 1, normal: 2, low: 3 })).to.equal(6);
  });
});

describe('the warning of a long time limit', () => {
  it('is given from the consumer timeout on, with both numbers', () => {
    expect(timeoutWarning(1_799_999, 1_800_000)).to.equal(undefined);
    expect(timeoutWarning(1_800_000, 1_800_000)).to.include('1800000');
    expect(timeoutWarning(2_000_000, 1_800_000)).to.include('2000000').and.include('1800000');
  });
});
