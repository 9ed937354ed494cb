import { expect } from 'chai';
import type { BatchAnswer } from '../../src/api/contract.js';
import { OutcomeUnknown, Refused, Unavailable } from '../../src/job/errors.js';
import { createDeferred } from '../support/deferred.js';
import { expectProblem } from './support/problem.js';
import { limits, type Reply, type Served, serve } from './support/serve.js';

const good = (payload: unknown): string => JSON.stringify({ type: 'echo', payload });
const head =
  'POST /v1/jobs/batch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/x-ndjson\r\n\r\n';
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

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
          422,
          'invalid_job',
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

  describe('as NDJSON', () => {
    it('skips blank lines, takes carriage returns and a last line without an end', async () => {
      const body = `\n${good(0)}\r\n\r\n  \n${good(1)}`;
      const reply = await served.ask({
        path: '/v1/jobs/batch',
        headers: { 'content-type': 'application/x-ndjson' },
        body,
      });
      expect(reply.json()).to.include({ accepted: 2, rejected: 0 });
      expect(served.broker.stored.map(({ body: bytes }) => bytes.toString())).to.deep.equal(['0', '1']);
    });

    it('refuses a malformed, an overlong and a non-UTF-8 line in the middle', async () => {
      const lines = [
        good(0),
        '{"type":',
        `"${'x'.repeat(limits.maxBodyBytes * 3)}"`,
        '{"type":"echo","payload":"\xe9"}',
        good(4),
      ];
      const body = Buffer.from(lines.join('\n'), 'latin1');
      const reply = await served.ask({
        path: '/v1/jobs/batch',
        headers: { 'content-type': 'application/x-ndjson' },
        body,
      });
      const { ids, errors } = reply.json<BatchAnswer>();
      expect(ids.map((id) => id === null)).to.deep.equal([false, true, true, true, false]);
      expect(errors.map(({ code }) => code)).to.deep.equal([
        'malformed_json',
        'payload_too_large',
        'malformed_json',
      ]);
    });

    it('finds its lines wherever the pieces are cut', async () => {
      const text = [good('é'), good(1), '', good({ a: '\u2028' })].join('\r\n');
      const bytes = Buffer.from(text);
      for (const size of [1, 2, 3, 7, 50]) {
        async function* pieces(): AsyncGenerator<Buffer> {
          for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
        }
        const reply = await served.ask({
          path: '/v1/jobs/batch',
          headers: { 'content-type': 'application/x-ndjson' },
          body: pieces(),
        });
        expect(reply.json()).to.include({ accepted: 3, rejected: 0 });
      }
      expect(new Set(served.broker.stored.map(({ body }) => body.toString()))).to.deep.equal(
        new Set(['"é"', '1', '{"a":"\u2028"}']),
      );
    });

    it('publishes what has come while more is on its way', async () => {
      const raw = await served.raw();
      raw.write(head + chunk(`${good(0)}\n${good(1)}\n{"type"`));
      await served.broker.untilAsked(2);
      raw.write(`${chunk(':"echo","payload":2}\n')}0\r\n\r\n`);
      expect(await raw.until(/\}$/)).to.match(/^HTTP\/1\.1 202 [\s\S]*"accepted":3/);
      raw.socket.destroy();
    });

    it('reads no further than the broker confirms', async () => {
      const confirm = createDeferred();
      served.broker.script = () => confirm.promise;
      const raw = await served.raw();
      raw.write(head + chunk(`${Array.from({ length: 10 }, (_, index) => good(index)).join('\n')}\n`));
      await served.broker.untilAsked(limits.publishWindow / 2);
      expect((await served.ask({ method: 'GET', path: '/livez' })).status).to.equal(200);
      expect(served.broker.asked).to.have.length(limits.publishWindow / 2);
      confirm.resolve();
      await served.broker.untilAsked(10);
      raw.write('0\r\n\r\n');
      await raw.until(/"accepted":10/);
      raw.socket.destroy();
    });

    it('stops reading after the most jobs a batch may hold, and says so', async () => {
      const reply = await served.submitLines(
        Array.from({ length: limits.maxBatchJobs + 5 }, (_, index) => good(index)),
      );
      const answer = reply.json<BatchAnswer>();
      expect(reply.status).to.equal(202);
      expect([answer.accepted, answer.rejected, answer.ids.length]).to.deep.equal([
        limits.maxBatchJobs,
        1,
        limits.maxBatchJobs + 1,
      ]);
      expect(answer.errors).to.deep.equal([
        {
          index: limits.maxBatchJobs,
          code: 'payload_too_large',
          detail: 'a batch may hold at most 20 jobs; nothing from here on was read',
        },
      ]);
    });

    it('is 413 at once when its length is declared too large', async () => {
      const reply = await served.submitLines([good(0), ' '.repeat(limits.maxBatchBytes)]);
      expectProblem(reply, 413, 'payload_too_large');
      expect(served.broker.asked).to.deep.equal([]);
    });

    it('keeps what came before the stream grew too large', async () => {
      const raw = await served.raw();
      raw.write(head + chunk(`${good(0)}\n`));
      await served.broker.untilAsked(1);
      raw.write(`${chunk(' '.repeat(limits.maxBatchBytes))}0\r\n\r\n`);
      expect(await raw.until(/\}$/)).to.match(/"accepted":1,"rejected":1,[\s\S]*"payload_too_large"/);
      raw.socket.destroy();
    });

    it('publishes no line that its client did not finish', async () => {
      const raw = await served.raw();
      raw.write(head + chunk(`${good(0)}\n${good(1)}`));
      await served.broker.untilAsked(1);
      raw.socket.resetAndDestroy();
      await raw.untilClosed();
      await served.submitLines([good(2)]);
      expect(served.broker.asked.map(({ body }) => body.toString())).to.deep.equal(['0', '2']);
      expect(served.observed.requested.map(({ status }) => status)).to.have.members([499, 202]);
    });
  });
});

describe('an NDJSON stream that falls silent', () => {
  it('is answered for what it has brought, and closed', async () => {
    const served = await serve({ timeouts: { bodyMs: 50 } });
    const raw = await served.raw();
    raw.write(head + chunk(`${good(0)}\n{"ty`));
    expect(await raw.untilClosed()).to.match(
      /^HTTP\/1\.1 202 [\s\S]*"accepted":1,"rejected":1,[\s\S]*"request_timeout"/,
    );
    await served.close();
  });

  it('is 408 when it has brought nothing', async () => {
    const served = await serve({ timeouts: { bodyMs: 50 } });
    const raw = await served.raw();
    raw.write(head);
    expect(await raw.untilClosed()).to.match(/^HTTP\/1\.1 408 [\s\S]*"request_timeout"/);
    await served.close();
  });
});
