import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, LookupFunction, Socket } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { expect } from 'chai';
import { Webhook } from 'standardwebhooks';
import { Agent, buildConnector } from 'undici';
import { DeadLetter, RetryLater } from '../../src/handler/define.js';
import { createRegistry } from '../../src/handler/registry.js';
import { Invalid } from '../../src/job/errors.js';
import { follow } from '../../workers/follow.js';
import { createHttpPush, type HttpPushSettings } from '../../workers/http-push.js';
import { createPublicConnector } from '../../workers/public-address.js';
import { jobId, rejection, run } from './running.js';

interface Visit {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Answering = (request: IncomingMessage, response: ServerResponse) => void;

async function setup() {
  const visits: Visit[] = [];
  const sockets = new Set<Socket>();
  let answer: Answering = (_request, response) => response.end('ok');
  const servers: Server[] = [];

  const listen = async (): Promise<string> => {
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const { method = '', url = '', headers } = request;
      visits.push({ method, path: url, headers, body: Buffer.concat(chunks).toString() });
      answer(request, response);
    });
    server.on('connection', (socket) => sockets.add(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  const origin = await listen();
  const push = createHttpPush({ allowPrivate: true, retryMaxMs: 60_000 });
  return {
    origin,
    visits,
    sockets,
    listen,
    answerWith: (next: Answering) => {
      answer = next;
    },
    status: (code: number, headers: Record<string, string> = {}, body = '') => {
      answer = (_request, response) => response.writeHead(code, headers).end(body);
    },
    push: (payload: object, signal?: AbortSignal, attempt?: number) =>
      run(push, { url: `${origin}/in`, ...payload }, signal, attempt),
    async cleanUp(): Promise<void> {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      }
    },
  };
}

describe('http.push', () => {
  let at: Awaited<ReturnType<typeof setup>>;
  beforeEach(async () => {
    at = await setup();
  });
  afterEach(() => at.cleanUp());

  describe('sends', () => {
    it('a JSON body by POST, with the job in the headers', async () => {
      expect(await at.push({ body: { name: 'Ada', n: [1, null] } }, undefined, 3)).to.deep.equal({
        status: 200,
      });
      const [visit] = at.visits;
      expect(visit).to.include({ method: 'POST', path: '/in', body: '{"name":"Ada","n":[1,null]}' });
      expect(visit?.headers).to.include({
        'content-type': 'application/json',
        'content-length': '27',
        'job-id': jobId,
        'job-attempt': '3',
        'user-agent': 'sluice',
      });
      expect(visit?.headers).to.not.have.any.keys('webhook-id', 'webhook-signature', 'authorization');
    });

    it('a string as it is, and null and false as JSON', async () => {
      for (const [body, text, type] of [
        ['grüß', 'grüß', 'text/plain; charset=utf-8'],
        [null, 'null', 'application/json'],
        [false, 'false', 'application/json'],
      ]) {
        await at.push({ body });
        expect(at.visits.at(-1)).to.have.property('body', text);
        expect(at.visits.at(-1)?.headers['content-type']).to.equal(type);
      }
    });

    it('nothing where there is no body', async () => {
      await at.push({});
      expect(at.visits[0]?.headers)
        .to.include({ 'content-length': '0' })
        .and.not.have.property('content-type');
    });

    it("the caller's headers, which may name another content type", async () => {
      await at.push({
        method: 'PUT',
        body: '<a/>',
        headers: { 'Content-Type': 'application/xml', 'X-Key': 'k', Authorization: 'Bearer t' },
      });
      expect(at.visits[0]).to.have.property('method', 'PUT');
      expect(at.visits[0]?.headers).to.include({
        'content-type': 'application/xml',
        'x-key': 'k',
        authorization: 'Bearer t',
      });
    });

    it("the URL's user and password as basic authorization", async () => {
      await at.push({ url: at.origin.replace('//', '//ad%40a:p%3Aw%zz@') });
      expect(at.visits[0]?.headers.authorization).to.equal(
        `Basic ${Buffer.from('ad@a:p%3Aw%zz').toString('base64')}`,
      );
    });

    it('every method', async () => {
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']) {
        await at.push({ method });
        expect(at.visits.at(-1)?.method).to.equal(method);
      }
    });

    for (const prefix of ['whsec_', '']) {
      it(`a signature after Standard Webhooks, with a secret ${prefix === '' ? 'in bare base64' : 'that begins with whsec_'}`, async () => {
        const secret = prefix + Buffer.alloc(32, 7).toString('base64');
        const push = createHttpPush({ secret, allowPrivate: true, retryMaxMs: 1 });
        for (const body of [{ a: 1 }, 'text', undefined]) {
          await run(push, { url: at.origin, ...(body === undefined ? {} : { body }) });
          const visit = at.visits.at(-1);
          expect(visit?.headers['webhook-id']).to.equal(jobId);
          const verify = (text: string) =>
            new Webhook(secret).verify(text, visit?.headers as Record<string, string>, { jsonParse: false });
          expect(() => verify(visit?.body ?? '?')).to.not.throw();
          expect(() => verify(`${visit?.body} `)).to.throw('No matching signature');
        }
      });
    }
  });

  describe('judges the answer', () => {
    for (const status of [200, 201, 202, 204, 206, 299]) {
      it(`${status} is success`, async () => {
        at.status(status);
        expect(await at.push({ body: 1 })).to.deep.equal({ status });
      });
    }

    for (const status of [408, 425, 429, 500, 501, 502, 503, 504, 599]) {
      it(`${status} is retried with the usual backoff`, async () => {
        at.status(status, {}, 'a reason');
        const error = await rejection(at.push({ body: 1 }));
        expect(error).to.not.be.instanceOf(RetryLater);
        expect(error).to.not.be.instanceOf(DeadLetter);
        expect(error.message).to.equal(`POST ${at.origin} answered ${status}`);
      });

      it(`${status} with Retry-After is retried when it says`, async () => {
        at.status(status, { 'retry-after': '7' });
        expect(await rejection(at.push({})))
          .to.be.instanceOf(RetryLater)
          .with.property('delayMs', 7_000);
      });
    }

    it('honours a date in Retry-After', async () => {
      at.status(503, { 'retry-after': new Date(Date.now() + 30_000).toUTCString() });
      const error = await rejection(at.push({}));
      expect(error).to.be.instanceOf(RetryLater).with.property('delayMs').that.is.within(1, 30_000);
    });

    it('waits no longer than RETRY_MAX_MS', async () => {
      at.status(429, { 'retry-after': '86400' });
      expect(await rejection(at.push({})))
        .to.be.instanceOf(RetryLater)
        .with.property('delayMs', 60_000);
    });

    it('takes no notice of a Retry-After that makes no sense', async () => {
      at.status(429, { 'retry-after': 'soon' });
      expect(await rejection(at.push({}))).to.not.be.instanceOf(RetryLater);
    });

    for (const status of [400, 401, 403, 404, 405, 409, 410, 418, 422, 451]) {
      it(`${status} is for the dead letters, with what was said`, async () => {
        at.status(status, {}, `no\r\n\tuse\u0000 at all`);
        const error = await rejection(at.push({ body: 1 }));
        expect(error).to.be.instanceOf(DeadLetter);
        expect(error.message).to.equal(`POST ${at.origin} answered ${status}: no use at all`);
      });
    }

    for (const status of [300, 304, 305]) {
      it(`${status} is for the dead letters`, async () => {
        at.status(status);
        expect(await rejection(at.push({}))).to.be.instanceOf(DeadLetter);
      });
    }

    it('keeps only the beginning of a long refusal', async () => {
      at.status(400, {}, 'x'.repeat(1_000_000));
      const { message } = await rejection(at.push({}));
      expect(message).to.match(/answered 400: x{200}…$/);
    });
  });

  describe('bears with bad servers:', () => {
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
      const { origin } = at;
      await at.cleanUp();
      const error = await rejection(
        run(createHttpPush({ allowPrivate: true, retryMaxMs: 1 }), { url: origin }),
      );
      expect(error).to.not.be.instanceOf(DeadLetter);
      expect(error.message).to.match(/ECONNREFUSED/);
      at = await setup();
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

  describe('follows redirects:', () => {
    const redirect = (status: number, location?: string): void => {
      at.answerWith((request, response) => {
        if (request.url === '/in')
          response.writeHead(status, location === undefined ? {} : { location }).end('moved');
        else response.end('ok');
      });
    };

    for (const method of ['GET', 'HEAD']) {
      for (const status of [301, 302, 303, 307, 308]) {
        it(`${method} after ${status}`, async () => {
          redirect(status, '/there?x=1');
          expect(await at.push({ method, headers: { 'x-key': 'k' } })).to.deep.equal({ status: 200 });
          expect(at.visits.map((visit) => `${visit.method} ${visit.path}`)).to.deep.equal([
            `${method} /in`,
            `${method} /there?x=1`,
          ]);
          expect(at.visits[1]?.headers).to.include({ 'x-key': 'k', 'job-id': jobId });
        });
      }
    }

    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      for (const status of [307, 308]) {
        it(`${method} with its body after ${status}`, async () => {
          redirect(status, 'there');
          expect(await at.push({ method, body: { a: 1 } })).to.deep.equal({ status: 200 });
          expect(at.visits[1]).to.include({ method, path: '/there', body: '{"a":1}' });
        });
      }
      for (const status of [301, 302, 303]) {
        it(`${method} not after ${status}, which would lose the body`, async () => {
          redirect(status, '/there');
          const error = await rejection(at.push({ method, body: 1 }));
          expect(error)
            .to.be.instanceOf(DeadLetter)
            .with.property('message')
            .that.contains('put the final URL into the job');
          expect(at.visits).to.have.length(1);
        });
      }
    }

    it('five times, and not a sixth', async () => {
      at.answerWith((request, response) => {
        const left = Number(request.url?.slice(1));
        if (left === 0) response.end('ok');
        else response.writeHead(307, { location: `/${left - 1}` }).end();
      });
      expect(await at.push({ url: `${at.origin}/5` })).to.deep.equal({ status: 200 });
      const error = await rejection(at.push({ url: `${at.origin}/6` }));
      expect(error).to.be.instanceOf(DeadLetter).with.property('message').that.contains('more than 5 times');
      expect(at.visits).to.have.length(12);
    });

    it('leaves keys behind when another origin comes next, and does not take them up again', async () => {
      const other = await at.listen();
      at.answerWith((request, response) => {
        const next = { '/in': `${other}/second`, '/second': `${at.origin}/third` }[request.url ?? ''];
        if (next === undefined) response.end('ok');
        else response.writeHead(308, { location: next }).end();
      });
      await at.push({
        url: `${at.origin.replace('//', '//u:p@')}/in`,
        body: { a: 1 },
        headers: { 'X-Api-Key': 'k', Cookie: 'c', 'Content-Type': 'application/vnd.api+json' },
      });
      const [first, second, third] = at.visits;
      expect(first?.headers).to.include({ 'x-api-key': 'k', cookie: 'c' }).and.have.property('authorization');
      for (const visit of [second, third]) {
        expect(visit?.headers).to.not.have.any.keys('x-api-key', 'cookie', 'authorization');
        expect(visit?.headers).to.include({ 'content-type': 'application/vnd.api+json', 'job-id': jobId });
      }
    });

    for (const location of [
      'ftp://example.com/',
      'file:///etc/passwd',
      'http://[',
      'javascript:1',
      undefined,
    ]) {
      it(`not to ${location ?? 'nowhere'}`, async () => {
        redirect(307, location);
        expect(await rejection(at.push({}))).to.be.instanceOf(DeadLetter);
        expect(at.visits).to.have.length(1);
      });
    }
  });

  describe('keeps out of private networks:', () => {
    const guarded = (lookup?: LookupFunction) =>
      createHttpPush({ allowPrivate: false, retryMaxMs: 1, ...(lookup === undefined ? {} : { lookup }) });

    for (const host of [
      '127.0.0.1',
      '127.1',
      '2130706433',
      '0x7f.1',
      '0177.0.0.1',
      '127.0.0.1.',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[::ffff:7f00:1]',
      '0',
      'localhost',
    ]) {
      it(`refuses ${host}`, async () => {
        const { port } = new URL(at.origin);
        const error = await rejection(run(guarded(), { url: `http://${host}:${port}/in` }));
        expect(error)
          .to.be.instanceOf(DeadLetter)
          .with.property('message')
          .that.contains('HTTP_PUSH_ALLOW_PRIVATE');
        expect(at.sockets.size).to.equal(0);
      });
    }

    it('refuses a name that leads inside', async () => {
      const inside: LookupFunction = (_host, _options, callback) =>
        callback(null, [{ address: '127.0.0.1', family: 4 }]);
      const { port } = new URL(at.origin);
      expect(await rejection(run(guarded(inside), { url: `http://rebound.test:${port}/` }))).to.be.instanceOf(
        DeadLetter,
      );
      expect(at.sockets.size).to.equal(0);
    });

    it('refuses the target of a redirect like the first', async () => {
      const guard = createPublicConnector();
      const direct = buildConnector({});
      // Only `outside.test` stands for the public internet, and is this machine.
      const dispatcher = new Agent({
        connect: (target, callback) =>
          target.hostname === 'outside.test'
            ? direct({ ...target, hostname: '127.0.0.1' }, callback)
            : guard(target, callback),
      });
      at.status(307, { location: `${at.origin}/inside` });
      const url = new URL(at.origin.replace('127.0.0.1', 'outside.test'));
      const call = {
        url,
        method: 'POST',
        headers: {},
        body: 'x',
        signal: new AbortController().signal,
      } as const;
      expect(await rejection(follow(call, {}, dispatcher)))
        .to.be.instanceOf(DeadLetter)
        .with.property('message')
        .that.contains('127.0.0.1');
      expect(at.visits).to.have.length(1);
      await dispatcher.close();
    });

    it('goes where it is told once that is allowed', async () => {
      const inside: LookupFunction = (_host, _options, callback) =>
        callback(null, [{ address: '127.0.0.1', family: 4 }]);
      const push = createHttpPush({ allowPrivate: true, retryMaxMs: 1, lookup: inside });
      expect(await run(push, { url: `http://anywhere.test:${new URL(at.origin).port}/` })).to.deep.equal({
        status: 200,
      });
    });
  });

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

describe('the payload of http.push', () => {
  const registry = createRegistry({ handlers: [createHttpPush({ allowPrivate: false, retryMaxMs: 1 })] });
  const check = (payload: unknown): string | undefined => registry.checkPayload('http.push', payload);
  const url = 'https://example.com/hook';

  for (const payload of [
    { url },
    { url: 'HTTP://example.com' },
    { url, method: 'GET' },
    { url, method: 'GET', headers: {} },
    { url, method: 'DELETE', body: null },
    {
      url,
      body: [1, { a: 'b' }],
      timeoutMs: 1,
      headers: { 'X-A': 'b', Accept: 'text/html', Hostess: 'x', Jobs: 'y', Te2: 'z' },
    },
    { url, headers: { traceparent: '00-1-2-3', Authorization: 'Bearer ä' } },
  ]) {
    it(`accepts ${JSON.stringify(payload)}`, () => expect(check(payload)).to.equal(undefined));
  }

  const refused: readonly [payload: unknown, said: RegExp][] = [
    [{}, /must have required property 'url'/],
    [{ url: 5 }, /\/url must be string/],
    [{ url: 'ftp://x' }, /\/url must match.*an http or https URL/],
    [{ url: '/relative' }, /\/url must match/],
    [{ url: 'http://' }, /\/url must match/],
    [{ url: `http://${'x'.repeat(9_000)}` }, /\/url must NOT have more than 8192/],
    [{ url, method: 'TRACE' }, /\/method must be one of \["GET","HEAD"/],
    [{ url, method: 'post' }, /\/method must be one of/],
    [{ url, method: 'GET', body: 1 }, /\/body .*GET and HEAD carry none/],
    [{ url, timeoutMs: 0 }, /\/timeoutMs must be >= 1/],
    [{ url, timeoutMs: 1.5 }, /\/timeoutMs must be integer/],
    [{ url, retries: 3 }, /must not have the property "retries"/],
    [{ url, headers: { a: 1 } }, /\/headers\/a must be string/],
    [{ url, headers: { a: 'b\nc' } }, /\/headers\/a must match.*without control characters/],
    [{ url, headers: { a: 'snow ☃' } }, /\/headers\/a must match/],
    [{ url, headers: [] }, /\/headers must be object/],
    ...[
      'host',
      'Host',
      'CONTENT-LENGTH',
      'Connection',
      'te',
      'Trailer',
      'transfer-encoding',
      'Upgrade',
      'Expect',
      'Keep-Alive',
    ].map((name): [unknown, RegExp] => [
      { url, headers: { [name]: 'x' } },
      /must not have a property named.*HTTP or Sluice sets itself/,
    ]),
    ...[
      'Job-Id',
      'job-attempt',
      'job-',
      'Webhook-Id',
      'webhook-signature',
      'a b',
      'a:b',
      '',
      'é',
      'x\r\ny',
    ].map((name): [unknown, RegExp] => [{ url, headers: { [name]: 'x' } }, /must not have a property named/]),
  ];
  for (const [payload, said] of refused) {
    it(`refuses ${JSON.stringify(payload).slice(0, 90)}`, () => expect(check(payload)).to.match(said));
  }
});

describe('HTTP_PUSH_SECRET', () => {
  const create = (secret: string) => () =>
    createHttpPush({ secret, allowPrivate: false, retryMaxMs: 1 } satisfies HttpPushSettings);
  const good = Buffer.alloc(24, 1).toString('base64');

  for (const secret of [
    '',
    'whsec_',
    'hello',
    'whsec_hello world',
    `${good}!`,
    `whsec_whsec_${good}`,
    'aGVsbG8=',
    Buffer.alloc(23).toString('base64'),
  ]) {
    it(`refuses ${JSON.stringify(secret)} at load, saying how to make a good one`, () => {
      expect(create(secret)).to.throw(
        Invalid,
        /HTTP_PUSH_SECRET must be base64 of 24 bytes or more.*openssl rand -base64 32/,
      );
      if (secret.length > 6)
        expect(create(secret)).to.throw().with.property('message').that.does.not.contain(secret);
    });
  }

  it('accepts base64 of 24 bytes and more', () => {
    expect(create(good)).to.not.throw();
    expect(create(`whsec_${Buffer.alloc(33).toString('base64')}`)).to.not.throw();
  });
});
