import { expect } from 'chai';
import type { BatchAnswer } from '../../src/api/contract.js';
import { createDeferred } from '../support/deferred.js';
import { expectProblem } from './support/problem.js';
import { limits, type Served, serve } from './support/serve.js';

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
