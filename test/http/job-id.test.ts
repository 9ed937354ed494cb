import { expect } from 'chai';
import fc from 'fast-check';
import { validate, version } from 'uuid';
import { createJobId } from '../../src/http/job-id.js';
import { acceptedAtMs } from '../../src/job/job.js';

describe('createJobId', () => {
  it('makes UUIDs of version 7 that tell their time of acceptance', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), (atMs) => {
        const id = createJobId(atMs);
        expect(validate(id)).to.equal(true);
        expect(version(id)).to.equal(7);
        expect(acceptedAtMs({ id })).to.equal(atMs);
      }),
    );
  });

  it('makes no id twice', () => {
    const ids = Array.from({ length: 10_000 }, () => createJobId(1));
    expect(new Set(ids).size).to.equal(ids.length);
  });
});
