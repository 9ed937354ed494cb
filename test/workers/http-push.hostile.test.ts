import { once } from 'node:events';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, LookupFunction } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { expect } from 'chai';
import { DeadLetter } from '../../src/handler/define.js';
import { createHttpPush } from '../../workers/http-push.js';
import { createEndpoint, type Endpoint } from './endpoint.js';
import { rejection, run } from './running.js';
import { selfSigned } from './self-signed.js';

describe('http.push bears with bad servers:', () => {
  let at: Endpoint;
  beforeEach(async () => {
    at = await createEndpoint();
  });
  afterEach(() => at.cleanUp());

  it('an endless answer with a good status is success', async () => {
    at.answerWith((_request, response) => {
      response.on('error', () => undefined);
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536))) {}
      };
      response.on('drain', more);
      more();
    });
    expect(await at.push({})).to.deep.equal({ status: 200 });
  });

  it('an answer that never ends, with a good status, is success', async () => {
    at.answerWith((_request, response) => void response.write('a'));
    expect(await at.push({})).to.deep.equal({ status: 200 });
  });

  it('a refusal that never ends is for the dead letters, with what came of it', async () => {
    at.answerWith((_request, response) => void response.writeHead(400).write('half a reas'));
    const error = await rejection(at.push({}));
    expect(error).to.be.instanceOf(DeadLetter);
    expect(error.message).to.match(/answered 400: half a reas$/);
  });

  it('no answer within timeoutMs is retried', async () => {
    at.answerWith(() => undefined);
    const error = await rejection(at.push({ timeoutMs: 20 }));
    expect(error).to.not.be.instanceOf(DeadLetter);
    expect(error.message).to.equal(`POST ${at.origin}: no answer within 20 ms`);
  });

  it('an abort ends the call at once, with the reason of the signal', async () => {
    const abort = new AbortController();
    const reason = new Error('shutting down');
    at.answerWith(() => abort.abort(reason));
    expect(await rejection(at.push({ timeoutMs: 60_000 }, abort.signal))).to.equal(reason);
  });

  it('a signal aborted beforehand sends nothing', async () => {
    const reason = new Error('too late');
    expect(await rejection(at.push({}, AbortSignal.abort(reason)))).to.equal(reason);
    expect(at.visits).to.have.length(0);
  });

  it('a connection cut in the middle is retried', async () => {
    at.answerWith((request) => void request.socket.destroy());
    const error = await rejection(at.push({}));
    expect(error).to.not.be.instanceOf(DeadLetter);
    expect(error.message).to.match(/^POST http:\/\/127\.0\.0\.1:\d+ failed: /);
  });

  it('a refused connection is retried', async () => {
    const gone = await createEndpoint();
    await gone.cleanUp();
    const error = await rejection(
      run(createHttpPush({ allowPrivate: true, retryMaxMs: 1 }), { url: gone.origin }),
    );
    expect(error).to.not.be.instanceOf(DeadLetter);
    expect(error.message).to.match(/ECONNREFUSED/);
  });

  it('a name that does not resolve is retried', async () => {
    const failing: LookupFunction = (_host, _options, callback) =>
      callback(Object.assign(new Error('getaddrinfo ENOTFOUND gone.test'), { code: 'ENOTFOUND' }), '', 0);
    for (const allowPrivate of [true, false]) {
      const push = createHttpPush({ allowPrivate, retryMaxMs: 1, lookup: failing });
      const error = await rejection(run(push, { url: 'http://gone.test/' }));
      expect(error).to.not.be.instanceOf(DeadLetter);
      expect(error.message).to.equal('POST http://gone.test failed: getaddrinfo ENOTFOUND gone.test');
    }
  });

  it('a certificate that nobody vouches for is retried, and nothing is sent', async () => {
    let requests = 0;
    const secure = createSecureServer(selfSigned, (_request, response) => {
      requests++;
      response.end();
    }).listen(0, '127.0.0.1');
    await once(secure, 'listening');
    const url = `https://127.0.0.1:${(secure.address() as AddressInfo).port}`;
    const error = await rejection(at.push({ url }));
    secure.close();
    expect(error).to.not.be.instanceOf(DeadLetter);
    expect(error.message).to.match(/failed: self-signed certificate/);
    expect(requests).to.equal(0);
  });

  for (const [title, bytes] of [
    ['what is not HTTP', 'SSH-2.0-OpenSSH\r\n'],
    ['a header with a line break in it', 'HTTP/1.1 200 OK\r\nbad\rheader: x\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx'],
    ['endless headers', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(100_000)}`],
    ['nothing at all', ''],
  ] as const) {
    it(`${title} is retried`, async () => {
      const server = createTcpServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => socket.end(bytes));
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const error = await rejection(at.push({ url }));
      server.close();
      expect(error).to.not.be.instanceOf(DeadLetter);
      expect(error.message.startsWith(`POST ${url} failed: `), error.message).to.equal(true);
    });
  }

  it('uses connections again, whatever was answered over them', async () => {
    for (const status of [200, 404, 500]) {
      at.status(status, {}, 'x'.repeat(800));
      for (let i = 0; i < 10; i++) await at.push({ body: i }).catch(() => undefined);
    }
    // A second one, when the next call comes before undici has put the first back.
    expect(at.visits).to.have.length(30);
    expect(at.sockets.size).to.be.within(1, 2);
  });

  it('opens a bounded number of connections to one origin', async () => {
    await Promise.all(Array.from({ length: 200 }, (_, body) => at.push({ body })));
    expect(at.visits).to.have.length(200);
    expect(at.sockets.size).to.be.within(1, 64);
  });
});

describe('http.push', () => {
  let at: Endpoint;
  beforeEach(async () => {
    at = await createEndpoint();
  });
  afterEach(() => at.cleanUp());

  it('tells no secret of a URL', async () => {
    const url = `${at.origin.replace('//', '//user:hunter2@')}/hooks/hunter2?key=hunter2#hunter2`;
    for (const status of [400, 500, 302]) {
      at.status(status, { location: `/hunter2`, 'retry-after': '1' });
      const { message, stack } = await rejection(at.push({ url }));
      expect(`${message}${stack}`).to.not.contain('hunter2');
    }
    for (const bad of ['ftp://hunter2@x', 'http://hunter2:hunter2@[', 'hunter2']) {
      const error = await rejection(at.push({ url: bad }));
      expect(error).to.be.instanceOf(DeadLetter);
      expect(error.message).to.not.contain('hunter2');
    }
  });

  it('sends nothing when a header is there twice, in upper and in lower case', async () => {
    const error = await rejection(at.push({ headers: { 'X-Key': 'a', 'x-key': 'b' } }));
    expect(error).to.be.instanceOf(DeadLetter).with.property('message').that.includes('keep one');
    expect(at.visits).to.have.length(0);
  });

  it('sends no header that belongs to HTTP or to Sluice, even for a job that came past the schema', async () => {
    for (const name of [
      'Host',
      'content-length',
      'Job-Id',
      'webhook-signature',
      'Transfer-Encoding',
      'a b',
      'x\r\ny',
      '',
    ]) {
      const error = await rejection(at.push({ headers: { [name]: 'x' } }));
      expect(error, name).to.be.instanceOf(DeadLetter);
    }
    const split = await rejection(at.push({ headers: { 'x-a': 'b\r\nhost: evil' } }));
    expect(split).to.be.instanceOf(DeadLetter);
    expect(at.visits).to.have.length(0);
  });
});
