import { expect } from 'chai';
import fc from 'fast-check';
import { v4, v7 } from 'uuid';
import {
  decode,
  type Envelope,
  encodeDeath,
  encodeHeaders,
  withoutBrokerHeaders,
} from '../../src/job/codec.js';
import { Undecodable } from '../../src/job/errors.js';
import { greatestAttempt, greatestRun } from '../../src/job/fold.js';
import { acceptedAtMs, type Job, lanes, lastMs } from '../../src/job/job.js';

const id = v7({ msecs: 1_700_000_000_123 });

function envelope(fields: Partial<Envelope> = {}): Envelope {
  return { messageId: id, type: 'echo', headers: {}, body: Buffer.from('{}'), ...fields };
}

const anyJob: fc.Arbitrary<Job> = fc
  .record(
    {
      id: fc.integer({ min: 0, max: 2 ** 48 - 1 }).map((msecs) => v7({ msecs })),
      type: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,126}$/),
      queue: fc.constantFrom('default', 'mail'),
      lane: fc.constantFrom(...lanes),
      body: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      run: fc.integer({ min: 1, max: greatestRun }),
      attempt: fc.integer({ min: 1, max: greatestAttempt }),
      dueAtMs: fc.nat(lastMs),
      maxAttempts: fc.integer({ min: 1 }),
      timeoutMs: fc.integer({ min: 1 }),
      expiresAtMs: fc.nat(lastMs),
      traceparent: fc.string(),
      tracestate: fc.string(),
    },
    { requiredKeys: ['id', 'type', 'queue', 'lane', 'body', 'run', 'attempt', 'dueAtMs'] },
  )
  .map((job) => job as Job);

describe('codec', () => {
  it('reads back any job that it has written', () => {
    fc.assert(
      fc.property(anyJob, (job) => {
        const headers = encodeHeaders(job) ?? {};
        const read = decode(
          { messageId: job.id, type: job.type, headers, body: job.body },
          job.queue,
          job.lane,
        );
        expect(read).to.deep.equal(job);
      }),
    );
  });

  it('writes no header at all for a job without options', () => {
    const job = decode(envelope(), 'default', 'normal');
    expect(encodeHeaders(job)).to.equal(undefined);
  });

  it('reads the time of acceptance from the id', () => {
    expect(acceptedAtMs({ id })).to.equal(1_700_000_000_123);
    expect(decode(envelope(), 'default', 'normal').dueAtMs).to.equal(1_700_000_000_123);
  });

  const unreadable: [string, Partial<Envelope>, RegExp][] = [
    ['no id', { messageId: undefined }, /message_id/],
    ['an id that is no UUID', { messageId: 'x' }, /message_id/],
    ['an id without a time in it', { messageId: v4() }, /message_id/],
    ['no type', { type: undefined }, /type/],
    ['a type with a space', { type: 'a b' }, /type/],
    ['a future format', { headers: { 'sluice-version': 2 } }, /sluice-version 2/],
    ['attempt 0', { headers: { 'sluice-attempt': 0 } }, /sluice-attempt/],
    ['an attempt as text', { headers: { 'sluice-attempt': '1' } }, /sluice-attempt/],
    ['more runs than a row can tell apart', { headers: { 'sluice-run': 65_536 } }, /from 1 to 65535$/],
    ['more attempts', { headers: { 'sluice-attempt': 2 ** 30 } }, /sluice-attempt .* from 1 to 1073741823$/],
    ['a fraction of a run', { headers: { 'sluice-run': 1.5 } }, /sluice-run/],
    [
      'an endless timeout',
      { headers: { 'sluice-timeout-ms': Number.POSITIVE_INFINITY } },
      /sluice-timeout-ms/,
    ],
    ['a due time before time', { headers: { 'sluice-due-ms': -1 } }, /sluice-due-ms/],
    ['a due time that no date can say', { headers: { 'sluice-due-ms': lastMs + 1 } }, /sluice-due-ms/],
    ['such a deadline', { headers: { 'sluice-expires-ms': lastMs + 1 } }, /sluice-expires-ms/],
    ['a number as traceparent', { headers: { traceparent: 1 } }, /traceparent/],
  ];
  for (const [what, fields, message] of unreadable) {
    it(`refuses ${what}`, () => {
      expect(() => decode(envelope(fields), 'default', 'normal')).to.throw(Undecodable, message);
    });
  }

  it('reads an id in capitals as the same id', () => {
    expect(decode(envelope({ messageId: id.toUpperCase() }), 'default', 'normal').id).to.equal(id);
  });

  it('leaves the body alone, whatever it holds', () => {
    const body = Buffer.from([0xff, 0x00, 0x7b]);
    expect(decode(envelope({ body }), 'default', 'normal').body).to.equal(body);
  });

  it('drops the headers that make a broker take a republish for a cycle, and only those', () => {
    const own = { 'sluice-run': 2, 'x-mine': 'a', 'x-deathly': 'b' };
    const brokers = {
      'x-death': [],
      'x-first-death-queue': 'q',
      'x-last-death-reason': 'r',
      'x-delivery-count': 3,
    };
    expect(withoutBrokerHeaders({ ...own, ...brokers })).to.deep.equal(own);
  });

  it('tells in a dead letter why the job died', () => {
    const failure = { name: 'TypeError', message: 'no', code: 'E1' };
    const headers = encodeDeath({ reason: 'exhausted', failure, atMs: 5 });
    expect(headers['sluice-dead-reason']).to.equal('exhausted');
    expect(headers['sluice-dead-at-ms']).to.equal(5);
    expect(JSON.parse(String(headers['sluice-dead-error']))).to.deep.equal(failure);
    expect(headers).not.to.have.property('sluice-dead-started-ms');
    const started = encodeDeath({ reason: 'exhausted', failure, atMs: 5, startedAtMs: 4 });
    expect(started['sluice-dead-started-ms']).to.equal(4);
  });
});
