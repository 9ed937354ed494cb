import { expect } from 'chai';
import { createDeferred } from '../support/deferred.js';
import { expectProblem } from './support/problem.js';
import { limits, type Served, serve } from './support/serve.js';

const json = { 'content-type': 'application/json' };
const head = 'POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';

describe('request bodies', () => {
  let served: Served;

  beforeEach(async () => {
    served = await serve({ timeouts: { bodyMs: 60_000 } });
  });

  afterEach(() => served.close());

  for (const type of [
    'application/json; charset=utf-8',
    'Application/JSON',
    'application/json;charset="UTF-8"',
  ]) {
    it(`are taken as ${type}`, async () => {
      const reply = await served.ask({
        headers: { 'content-type': type },
        body: '{"type":"echo","payload":1}',
      });
      expect(reply.status).to.equal(202);
    });
  }

  const wrongTypes: readonly Record<string, string>[] = [
    {},
    { 'content-type': 'text/plain' },
    { 'content-type': 'application/x-ndjson' },
    { 'content-type': 'application/json; charset=latin1' },
    { 'content-type': 'application/json', 'content-encoding': 'gzip' },
  ];
  for (const headers of wrongTypes) {
    it(`are refused with ${JSON.stringify(headers)} as 415 unsupported_media_type`, async () => {
      const reply = await served.ask({ headers, body: '{"type":"echo","payload":1}' });
      expectProblem(reply, 415, 'unsupported_media_type');
    });
  }

  const malformed: readonly (readonly [string, string | Buffer])[] = [
    ['nothing', ''],
    ['half an object', '{"type":"echo"'],
    ['a word', 'hello'],
    ['two documents', '{} {}'],
    ['a trailing comma', '{"type":"echo","payload":1,}'],
    ['NaN', '{"type":"echo","payload":NaN}'],
    ['bytes that are not UTF-8', Buffer.from('{"type":"echo","payload":"\xe9"}', 'latin1')],
    ['an encoded surrogate', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['a NUL byte', '{"type":"echo","payload":"\0"}'],
    ['opening brackets alone', '['.repeat(limits.maxBodyBytes)],
  ];
  for (const [what, body] of malformed) {
    it(`of ${what} are 400 malformed_json`, async () => {
      expectProblem(await served.ask({ headers: json, body }), 400, 'malformed_json');
      expect(served.broker.asked).to.deep.equal([]);
    });
  }

  it('are taken with a byte order mark', async () => {
    const body = Buffer.concat([
      Buffer.from([0xef, 0xbb, 0xbf]),
      Buffer.from('{"type":"echo","payload":[1]}'),
    ]);
    expect((await served.ask({ headers: json, body })).status).to.equal(202);
    expect(served.broker.stored[0]?.body.toString()).to.equal('[1]');
  });

  it('are taken up to 64 levels deep, and refused beyond as 400 invalid_request', async () => {
    const nested = (depth: number): string =>
      `{"type":"echo","payload":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
    expect((await served.ask({ headers: json, body: nested(64) })).status).to.equal(202);
    const reply = await served.ask({ headers: json, body: nested(65) });
    expectProblem(reply, 400, 'invalid_request');
    expect(reply.json().detail).to.include('64 levels');
  });

  for (const poison of [
    '{"__proto__":{"a":1}}',
    '{"a":[{"\\u005f_proto__":1}]}',
    '{"constructor":{"prototype":{}}}',
  ]) {
    it(`that poison prototypes, ${poison}, are 400 invalid_request`, async () => {
      const reply = await served.ask({ headers: json, body: `{"type":"echo","payload":${poison}}` });
      expectProblem(reply, 400, 'invalid_request');
    });
  }

  it('of exactly the limit are taken', async () => {
    const frame = '{"type":"echo","payload":""}';
    const body = frame.replace('""', `"${'x'.repeat(limits.maxBodyBytes - frame.length)}"`);
    expect((await served.ask({ headers: json, body })).status).to.equal(202);
    expectProblem(await served.ask({ headers: json, body: `${body} ` }), 413, 'payload_too_large');
  });

  it('too large by their Content-Length are refused before they are sent', async () => {
    const raw = await served.raw();
    raw.write(`${head}Content-Length: 999999999999\r\n\r\n`);
    expect(await raw.until(/payload_too_large/)).to.match(/^HTTP\/1\.1 413 /);
    raw.socket.destroy();
  });

  it('too large and without a length are refused as soon as they are', async () => {
    const raw = await served.raw();
    raw.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
    const chunk = `1000\r\n${' '.repeat(0x1000)}\r\n`;
    raw.write(chunk);
    raw.write(chunk);
    expect(await raw.until(/payload_too_large/)).to.match(/^HTTP\/1\.1 413 /);
    raw.socket.destroy();
  });

  it('too large leave the connection usable for a client that sends them to the end', async () => {
    const raw = await served.raw();
    raw.write(
      `${head}Content-Length: 100000\r\n\r\n${' '.repeat(100_000)}GET /livez HTTP/1.1\r\nHost: x\r\n\r\n`,
    );
    expect(await raw.until(/"live"/)).to.match(/^HTTP\/1\.1 413 [\s\S]*HTTP\/1\.1 200 /);
    raw.socket.destroy();
  });

  it('are asked for with 100 Continue only when they are wanted', async () => {
    const wanted = await served.raw();
    wanted.write(`${head}Expect: 100-continue\r\nContent-Length: 27\r\n\r\n`);
    await wanted.until(/^HTTP\/1\.1 100 Continue\r\n/);
    wanted.write('{"type":"echo","payload":1}');
    await wanted.until(/HTTP\/1\.1 202 /);
    wanted.socket.destroy();
    const refused = await served.raw();
    refused.write(`${head}Expect: 100-continue\r\nContent-Length: 99999\r\n\r\n`);
    expect(await refused.until(/payload_too_large/)).to.match(/^HTTP\/1\.1 413 /);
    refused.socket.destroy();
  });

  it('cut off by their client publish nothing and harm nobody', async () => {
    for (const cut of [
      'Content-Length: 27\r\n\r\n{"type":"echo","payload":1',
      'Transfer-Encoding: chunked\r\n\r\n1b\r\n{"type":"echo","payload":1}\r\n',
    ]) {
      const raw = await served.raw();
      raw.write(`${head}${cut}`);
      await new Promise<void>((resolve) => raw.socket.end(resolve));
      raw.socket.resetAndDestroy();
      await raw.untilClosed();
    }
    expect((await served.submit({ type: 'echo', payload: 2 })).status).to.equal(202);
    expect(served.broker.asked.map(({ body }) => body.toString())).to.deep.equal(['2']);
  });

  it('of a client that leaves before the confirm end in a stored job and no error', async () => {
    const confirm = createDeferred();
    served.broker.script = () => confirm.promise;
    const raw = await served.raw();
    raw.write(`${head}Content-Length: 27\r\n\r\n{"type":"echo","payload":1}`);
    await served.broker.untilAsked(1);
    raw.socket.resetAndDestroy();
    await raw.untilClosed();
    confirm.resolve();
    await served.submit({ type: 'echo', payload: 2 });
    expect(served.broker.stored).to.have.length(2);
    expect(served.logged()).to.not.include('"level":"error"');
  });
});

describe('a slow or broken client', () => {
  it('is answered 408 request_timeout when its body does not come', async () => {
    const served = await serve({ timeouts: { bodyMs: 50 } });
    const raw = await served.raw();
    raw.write(`${head}Content-Length: 27\r\n\r\n{"type"`);
    expect(await raw.untilClosed()).to.match(
      /^HTTP\/1\.1 408 [\s\S]*Connection: close[\s\S]*"code":"request_timeout"/,
    );
    expect(served.observed.refused).to.deep.equal(['request_timeout']);
    await served.close();
  });

  it('is answered 408 request_timeout when its headers do not come', async () => {
    const served = await serve({ timeouts: { headersMs: 50 } });
    const raw = await served.raw();
    raw.write('POST /v1/jobs HTTP/1.1\r\nHost: x\r\nX-Slow');
    expect(await raw.untilClosed()).to.match(/^HTTP\/1\.1 408 [\s\S]*"code":"request_timeout"/);
    expect(served.observed.requested).to.deep.equal([{ method: 'other', route: 'other', status: 408 }]);
    await served.close();
  });

  it('is cut off when nothing moves', async () => {
    const served = await serve({ timeouts: { idleMs: 50 } });
    const raw = await served.raw();
    expect(await raw.untilClosed()).to.equal('');
    await served.close();
  });

  const garbage: readonly (readonly [string, string])[] = [
    ['no HTTP', 'hello\r\n\r\n'],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a header bomb', `GET /livez HTTP/1.1\r\nHost: x\r\n${'X-Bomb: boom\r\n'.repeat(2000)}\r\n`],
    ['one endless header', `GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(40_000)}`],
    ['an endless address', `GET /${'a'.repeat(40_000)} HTTP/1.1\r\n`],
    ['two lengths', `${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`],
    ['a length beside chunks', `${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a length that is no number', `${head}Content-Length: 2x\r\n\r\n{}`],
    ['chunks that are none', `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
    ['a coding that is not taken off', `${head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ['no Host', 'GET /livez HTTP/1.1\r\n\r\n'],
    ['an expectation of its own', 'GET /livez HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n'],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['an unknown method', 'BREW /v1/jobs HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a header with a line feed in it', 'GET /livez HTTP/1.1\r\nHost: x\r\nX:\0y\r\n\r\n'],
  ];
  for (const [what, bytes] of garbage) {
    it(`that sends ${what} is answered 400 invalid_request`, async () => {
      const served = await serve();
      const raw = await served.raw();
      raw.write(Buffer.from(bytes, 'latin1'));
      expect(await raw.until(/invalid_request/)).to.match(
        /^HTTP\/1\.1 400 [\s\S]*application\/problem\+json/,
      );
      raw.socket.destroy();
      expect((await served.submit({ type: 'echo', payload: 1 })).status).to.equal(202);
      await served.close();
    });
  }

  it('is not hidden behind thousands of headers: those at the end are read too', async () => {
    const served = await serve();
    const raw = await served.raw();
    raw.write(
      `${head}${'a:\r\n'.repeat(2_050)}Idempotency-Key: k\r\nContent-Length: 28\r\n\r\n{"type":"echo","payload":1 }`,
    );
    expect(await raw.until(/Idempotency-Key is not supported/)).to.match(/^HTTP\/1\.1 400 /);
    raw.socket.destroy();
    await served.close();
  });

  it('is not at home under a path in other letters', async () => {
    const served = await serve();
    expectProblem(await served.ask({ path: '/V1/jobs', body: '{}' }), 404, 'not_found');
    await served.close();
  });

  it('does not make the others wait for memory: too many held bytes are 503 overloaded', async () => {
    const served = await serve({ ingestion: { maxBodyBytes: 1000, maxBatchBytes: 1000 } });
    const confirm = createDeferred();
    served.broker.script = () => confirm.promise;
    const job = { type: 'echo', payload: 'x'.repeat(900) };
    const held = [1, 2, 3, 4].map(() => served.submit(job));
    await served.broker.untilAsked(4);
    const fifth = await served.submit(job);
    expectProblem(fifth, 503, 'overloaded');
    expect(fifth.headers['retry-after']).to.equal('1');
    confirm.resolve();
    expect((await Promise.all(held)).map(({ status }) => status)).to.deep.equal([202, 202, 202, 202]);
    expect((await served.submit(job)).status).to.equal(202);
    await served.close();
  });
});
