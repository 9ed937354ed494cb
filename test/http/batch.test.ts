import { expect } from 'chai';
import type { BatchAnswer } from '../../src/api/contract.js';
import { OutcomeUnknown, Refused, Unavailable } from '../../src/job/errors.js';
import { createDeferred } from '../support/deferred.js';
import { expectProblem } from './support/problem.js';
import { limits, type Reply, type Served, serve } from './support/serve.js';

const good = (payload: unknown): string => JSON.stringify({ type: 'echo', payload });

describe('POST /v1/jobs/batch', () => {
  let served: Served;

  beforeEach(async () => {
    served = await serve({ timeouts: { bodyMs: 60_000 } });
  });

  afterEach(() => served.close());

  const submitArray = (text: string): Promise<Reply> =>
    served.ask({ path: '/v1/jobs/batch', headers: { 'content-type': 'application/json' }, body: text });

  const forms: readonly (readonly [string, (items: readonly string[]) => Promise<Reply>])[] = [
    ['a JSON array', (items) => submitArray(`[${items.join(', ')}]`)],
    ['NDJSON', (items) => served.submitLines(items)],
  ];
  for (const [form, submit] of forms) {
    describe(`as ${form}`, () => {
      it('accepts every job, under ids in the order of the items', async () => {
        const reply = await submit([good(0), good(1), good(2)]);
        const answer = reply.json<BatchAnswer>();
        expect(reply.status).to.equal(202);
        expect(answer).to.deep.equal({
          accepted: 3,
          rejected: 0,
          ids: served.broker.stored.map(({ id }) => id),
          errors: [],
        });
        expect(served.broker.stored.map(({ body }) => body.toString())).to.deep.equal(['0', '1', '2']);
        expect(served.observed.accepted).to.deep.equal(answer.ids);
      });

      it('refuses bad items and accepts their neighbours', async () => {
        const reply = await submit([
          good(0),
          '{"type":"nope","payload":1}',
          good(2),
          '{"type":"echo"}',
          '7',
          good(5),
        ]);
        const answer = reply.json<BatchAnswer>();
        expect(reply.status).to.equal(202);
        expect([answer.accepted, answer.rejected]).to.deep.equal([3, 3]);
        expect(answer.ids.map((id) => id === null)).to.deep.equal([false, true, false, true, true, false]);
        expect(answer.errors.map(({ index, code }) => [index, code])).to.deep.equal([
          [1, 'unknown_job_type'],
          [3, 'invalid_job'],
          [4, 'invalid_job'],
        ]);
        expect(served.observed.refused).to.have.members(['unknown_job_type', 'invalid_job', 'invalid_job']);
      });

      it('refuses an item that is too large, too deep or poisoned', async () => {
        const deep = `{"type":"echo","payload":${'['.repeat(70)}${']'.repeat(70)}}`;
        const reply = await submit([
          good('x'.repeat(limits.maxBodyBytes)),
          deep,
          '{"type":"echo","payload":{"__proto__":1}}',
          good(3),
        ]);
        const { errors, accepted } = reply.json<BatchAnswer>();
        expect(accepted).to.equal(1);
        expect(errors.map(({ index, code }) => [index, code])).to.deep.equal([
          [0, 'payload_too_large'],
          [1, 'invalid_request'],
          [2, 'invalid_request'],
        ]);
      });

      it('answers after the last confirm', async () => {
        const last = createDeferred();
        served.broker.script = (_job, index) => (index === 2 ? last.promise : undefined);
        let isAnswered = false;
        const reply = submit([good(0), good(1), good(2)]).then((answered) => {
          isAnswered = true;
          return answered;
        });
        await served.broker.untilAsked(3);
        expect((await served.ask({ method: 'GET', path: '/livez' })).status).to.equal(200);
        expect(isAnswered).to.equal(false);
        last.resolve();
        expect((await reply).json().accepted).to.equal(3);
      });

      it('tells which jobs came before the broker went away', async () => {
        served.broker.script = (_job, index) => {
          if (index >= 2) throw new Unavailable('not connected');
        };
        const reply = await submit([good(0), good(1), good(2), good(3)]);
        const answer = reply.json<BatchAnswer>();
        expect(reply.status).to.equal(202);
        expect(answer.ids).to.deep.equal([...served.broker.stored.map(({ id }) => id), null, null]);
        expect(answer.errors).to.deep.equal([
          { index: 2, code: 'broker_unavailable', detail: 'not connected' },
          { index: 3, code: 'broker_unavailable', detail: 'not connected' },
        ]);
      });

      it('names the job whose outcome is unknown, and gives it no id', async () => {
        served.broker.script = (_job, index) => {
          if (index === 1) throw new OutcomeUnknown('no confirm');
        };
        const { ids, errors } = (await submit([good(0), good(1)])).json<BatchAnswer>();
        expect(ids[1]).to.equal(null);
        expect(errors[0]?.detail).to.include('outcome unknown').and.include(served.broker.asked[1]?.id);
      });

      it('tells of a job that the broker confirms after the answer', async () => {
        const late = createDeferred();
        served.broker.script = () =>
          Promise.reject(new OutcomeUnknown('no confirm', { stored: late.promise }));
        await submit([good(0)]);
        expect(served.observed.accepted).to.deep.equal([]);
        late.resolve();
        await late.promise;
        expect(served.observed.accepted).to.deep.equal([served.broker.asked[0]?.id]);
      });

      it('refuses items with a key where none can be kept, and those with a malformed one', async () => {
        const keyed = (key: string) => JSON.stringify({ type: 'echo', payload: 1, idempotencyKey: key });
        const { errors } = (await submit([keyed('k'), keyed('two words'), keyed('')])).json<BatchAnswer>();
        expect(errors.map(({ code }) => code)).to.deep.equal(['invalid_job', 'invalid_job', 'invalid_job']);
        expect(errors[0]?.detail).to.include('not supported here');
        expect(errors[1]?.detail).to.include("'idempotencyKey' must match pattern");
        expect(served.broker.asked).to.deep.equal([]);
      });

      it('waits for a full broker instead of refusing', async () => {
        served.broker.script = (_job, index) => {
          if (index < 3) throw new Refused('overloaded', 'full', 1);
        };
        const reply = await submit([good(0), good(1)]);
        expect(reply.json().accepted).to.equal(2);
      });

      it('is 422 with the books when every item is at fault', async () => {
        const reply = await submit(['{"type":"nope","payload":1}', '{"type":"nope","payload":2}']);
        expect(reply.status).to.equal(422);
        expect(reply.headers['content-type']).to.equal('application/problem+json');
        expect(reply.json()).to.deep.include({
          status: 422,
          code: 'unknown_job_type',
          accepted: 0,
          rejected: 2,
          ids: [null, null],
        });
        expect(reply.json().errors).to.have.length(2);
        expect(served.observed.refused).to.deep.equal(['unknown_job_type', 'unknown_job_type']);
      });

      it('is 422 invalid_job when the faults are mixed, or there is no item', async () => {
        const mixed = await submit(['{"type":"nope","payload":1}', '{}']);
        expect([mixed.status, mixed.json().code]).to.deep.equal([422, 'invalid_job']);
        const none = await submit([]);
        expect([none.status, none.json().code]).to.deep.equal([422, 'invalid_job']);
        expect(none.json().detail).to.equal('the batch holds no job');
      });

      it('is 503 with Retry-After when the broker took nothing', async () => {
        served.broker.script = () => {
          throw new Unavailable('not connected');
        };
        const reply = await submit([good(0), '{}']);
        expect([reply.status, reply.json().code, reply.headers['retry-after']]).to.deep.equal([
          503,
          'broker_unavailable',
          '1',
        ]);
      });

      it('is 503 overloaded when every queue is full', async () => {
        served.broker.script = () => {
          throw new Refused('queue_full', 'full', 1);
        };
        const reply = await submit([good(0)]);
        expect([reply.status, reply.json().code]).to.deep.equal([503, 'overloaded']);
      });

      it('keeps to its share of the window', async () => {
        const confirms = createDeferred();
        let unconfirmed = 0;
        let most = 0;
        served.broker.script = async () => {
          most = Math.max(most, ++unconfirmed);
          await confirms.promise;
          unconfirmed--;
        };
        const reply = submit(Array.from({ length: limits.maxBatchJobs }, (_, index) => good(index)));
        await served.broker.untilAsked(limits.publishWindow / 2);
        confirms.resolve();
        expect((await reply).json().accepted).to.equal(limits.maxBatchJobs);
        expect(most).to.equal(limits.publishWindow / 2);
      });

      it('logs what it did not foresee, tells the client nothing of it, and goes on', async () => {
        served.broker.script = (_job, index) => {
          if (index === 0) throw new TypeError('inner secret');
        };
        const reply = await submit([good(0), good(1)]);
        expect(reply.json().accepted).to.equal(1);
        expect(reply.json().errors?.[0]?.code).to.equal('internal_error');
        expect(reply.text).to.not.include('inner secret');
        expect(served.logged()).to.include('inner secret').and.include(served.broker.asked[0]?.id);
      });

      it('refuses an Idempotency-Key, query parameters and other media types', async () => {
        const path = '/v1/jobs/batch';
        const type = { 'content-type': 'application/x-ndjson' };
        expectProblem(
          await served.ask({ path, headers: { ...type, 'idempotency-key': 'k' }, body: good(1) }),
          400,
          'invalid_request',
        );
        expectProblem(
          await served.ask({ path: `${path}?a=1`, headers: type, body: good(1) }),
          400,
          'invalid_request',
        );
        expectProblem(
          await served.ask({ path, headers: { 'content-type': 'text/csv' }, body: good(1) }),
          415,
          'unsupported_media_type',
        );
        expectProblem(await served.ask({ path, method: 'GET' }), 405, 'method_not_allowed');
      });
    });
  }

  describe('as a JSON array', () => {
    for (const text of [
      '',
      '{}',
      '[',
      '[1',
      '[1,]',
      '[,1]',
      '[1,,2]',
      '[1] 2',
      '[{]}]',
      '[{"a":1}}]',
      '["]',
      '[1 2]',
      'null',
    ]) {
      it(`of ${JSON.stringify(text)} is 400 malformed_json, and nothing is accepted`, async () => {
        expectProblem(await submitArray(text), 400, 'malformed_json');
        expectProblem(await submitArray(text.replace('[', `[${good(1)},`)), 400, 'malformed_json');
        expect(served.broker.asked).to.deep.equal([]);
      });
    }

    it('gives the broker its first items while the others are not published yet', async () => {
      const many = 100;
      await served.close();
      served = await serve({ ingestion: { maxBatchJobs: many, publishWindow: 4 * many } });
      let whenLeft: number | undefined;
      served.broker.script = (_job, index) => {
        if (index === 0) setImmediate(() => (whenLeft = served.broker.asked.length));
      };
      const items = Array.from({ length: many }, (_, index) => good(index));
      expect((await submitArray(`[${items.join()}]`)).json().accepted).to.equal(many);
      expect(whenLeft).to.be.within(1, many - 1);
    });

    it('names the item that is not JSON', async () => {
      const reply = await submitArray(`[${good(0)},{"type":}]`);
      expect(reply.json().detail).to.match(/^item 1: not JSON/);
    });

    it('takes brackets and commas in strings for what they are', async () => {
      const payload = '],[{"\\';
      const reply = await submitArray(` [ ${good(payload)} , ${good([payload, { [payload]: payload }])} ] `);
      expect(reply.json().accepted).to.equal(2);
      expect(JSON.parse(served.broker.stored[0]?.body.toString() ?? '')).to.equal(payload);
    });

    it('of too many items, or too large, is 413 and accepts nothing', async () => {
      const many = Array.from({ length: limits.maxBatchJobs + 1 }, () => good(1));
      expectProblem(await submitArray(`[${many.join(',')}]`), 413, 'payload_too_large');
      expectProblem(
        await submitArray(`[${good(1)}${' '.repeat(limits.maxBatchBytes)}]`),
        413,
        'payload_too_large',
      );
      expect(served.broker.asked).to.deep.equal([]);
    });

    it('that is not UTF-8 is 400', async () => {
      const reply = await submitArray('');
      expectProblem(reply, 400, 'malformed_json');
      const body = Buffer.from(`[${good(0)},{"type":"echo","payload":"\xe9"}]`, 'latin1');
      const bad = await served.ask({
        path: '/v1/jobs/batch',
        headers: { 'content-type': 'application/json' },
        body,
      });
      expectProblem(bad, 400, 'malformed_json');
      expect(served.broker.asked).to.deep.equal([]);
    });
  });
});
