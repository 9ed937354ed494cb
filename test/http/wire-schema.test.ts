import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'chai';
import { BatchItem, JobRequest } from '../../src/api/contract.js';
import { DiscardRequest, ReplayRequest } from '../../src/api/dead-letters.js';
import { QueueChange } from '../../src/api/queues.js';
import { checkOf, quickCheckOf } from '../../src/http/wire-schema.js';

describe('the schemas of the wire', () => {
  const ajv = new Ajv2020();
  for (const [name, schema] of Object.entries({
    BatchItem,
    DiscardRequest,
    JobRequest,
    QueueChange,
    ReplayRequest,
  })) {
    it(`are JSON Schema: ${name}`, async () => {
      expect(await ajv.validateSchema(schema), ajv.errorsText()).to.equal(true);
    });
  }

  it('tell of all faults, or of the first', () => {
    const request = { type: 7, payload: 1, priority: 'urgent' };
    const [all, first] = [checkOf(JobRequest), quickCheckOf(JobRequest)];
    expect([all(request), first(request)]).to.deep.equal([false, false]);
    expect(all.errors).to.have.length.above(1);
    expect(first.errors).to.have.length(1);
  });
});
