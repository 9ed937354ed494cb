import { expect } from 'chai';
import fc from 'fast-check';
import { Histogram, Registry } from 'prom-client';
import { createObserved } from '../../src/observe/observed.js';

const about = { name: 'sluice_seconds', help: 'How long.' };
const value = fc.oneof(fc.constantFrom(0, 0.5, 1, 2.5, 10), fc.double({ min: 0, max: 12, noNaN: true }));
const label = fc.constantFrom('default', 'mail', 'a "quoted" one');

async function bothAfter(
  labelNames: readonly ('queue' | 'type')[],
  observations: readonly (readonly [number, string, string])[],
): Promise<readonly [string, string]> {
  const [ours, theirs] = [new Registry(), new Registry()];
  const buckets = [0.5, 1, 2.5, 10];
  const observe = createObserved({
    ...about,
    registry: ours,
    labelNames: labelNames as [('queue' | 'type')?, ('queue' | 'type')?],
    buckets,
  });
  const histogram = new Histogram({ ...about, registers: [theirs], labelNames: [...labelNames], buckets });
  for (const [seconds, queue, type] of observations) {
    const given = { queue, type };
    const labels = Object.fromEntries(labelNames.map((name) => [name, given[name]]));
    observe(seconds, ...labelNames.map((name) => given[name]));
    histogram.observe(labels, seconds);
  }
  return [await ours.metrics(), await theirs.metrics()];
}

describe('a histogram of the hot routes', () => {
  for (const labelNames of [[], ['queue'], ['queue', 'type']] as const) {
    it(`tells what one of prom-client tells, with ${labelNames.length} labels`, () =>
      fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(value, label, label), { maxLength: 30 }), async (observations) => {
          const [ours, theirs] = await bothAfter(labelNames, observations);
          expect(ours.split('\n').sort()).to.deep.equal(theirs.split('\n').sort());
        }),
      ));
  }

  it('is told as JSON, too', async () => {
    const registry = new Registry();
    createObserved({ ...about, registry, labelNames: [], buckets: [1] })(3);
    const [histogram] = await registry.getMetricsAsJSON();
    expect(histogram?.values).to.deep.include({ metricName: 'sluice_seconds_sum', labels: {}, value: 3 });
  });
});
