import { expect } from 'chai';
import { createRecent } from '../../src/http/recent.js';
import { makeJob } from '../broker/inbox.js';

describe('the memory of jobs just accepted', () => {
  it('keeps at least half of its bound, the newest, and never more than all of it', () => {
    const recent = createRecent(10);
    const jobs = Array.from({ length: 103 }, () => makeJob());
    for (const job of jobs) recent.add(job);
    const kept = jobs.filter(({ id }) => recent.get(id) !== undefined);
    expect(kept.length).to.be.within(5, 10);
    expect(kept).to.deep.equal(jobs.slice(-kept.length));
  });

  it('keeps no payload, and the newest run', () => {
    const recent = createRecent();
    const job = makeJob({ maxAttempts: 3 });
    recent.add(job);
    const { body: _, ...rest } = job;
    expect(recent.get(job.id)).to.deep.equal(rest);
    recent.add({ ...job, run: 2 });
    expect(recent.get(job.id)).to.include({ run: 2 });
    expect(recent.get('another')).to.equal(undefined);
  });
});
