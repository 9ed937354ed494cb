import { expect } from 'chai';
import { createAcceptedEvents } from '../../src/http/accepted.js';
import { OutcomeUnknown } from '../../src/job/errors.js';
import type { JobEvent } from '../../src/job/event.js';
import { acceptedAtMs } from '../../src/job/job.js';
import { makeJob } from '../broker/inbox.js';
import { createDeferred } from '../support/deferred.js';
import { expectProblem } from './support/problem.js';
import { serve } from './support/serve.js';

function eventsOf(recordPayload: boolean): {
  readonly told: JobEvent[];
  readonly accepted: ReturnType<typeof createAcceptedEvents>;
} {
  const told: JobEvent[] = [];
  return { told, accepted: createAcceptedEvents({ tell: (event) => told.push(event), recordPayload }) };
}

describe('the events of accepted jobs', () => {
  it('carry what the job has and nothing else', () => {
    const { told, accepted } = eventsOf(false);
    const job = makeJob();
    const { body: _, ...plain } = job;
    accepted(job);
    expect(told).to.deep.equal([{ ...plain, kind: 'accepted', atMs: acceptedAtMs(job) }]);
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    accepted({ ...job, maxAttempts: 3, expiresAtMs: 5, traceparent, timeoutMs: 9 }, true);
    expect(told[1]).to.deep.equal({
      ...plain,
      kind: 'accepted',
      atMs: acceptedAtMs(job),
      maxAttempts: 3,
      timeoutMs: 9,
      expiresAtMs: 5,
      traceId: '0af7651916cd43dd8448eb211c80319c',
      isAgain: true,
    });
  });

  it('carry the payload where it is asked for', () => {
    const { told, accepted } = eventsOf(true);
    accepted(makeJob({ body: Buffer.from('{"ä":1}') }));
    expect(told[0]).to.include({ payload: '{"ä":1}' });
  });

  it('come also for a job that the broker confirms after the answer', async () => {
    const served = await serve();
    const late = createDeferred();
    served.broker.script = () => Promise.reject(new OutcomeUnknown('no confirm', { stored: late.promise }));
    expectProblem(await served.submit({ type: 'echo', payload: 1 }), 503, 'broker_unavailable');
    expect(served.observed.accepted).to.deep.equal([]);
    late.resolve();
    await late.promise;
    expect(served.observed.accepted).to.deep.equal([served.broker.asked[0]?.id]);
    await served.close();
  });
});
