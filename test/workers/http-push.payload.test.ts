import { expect } from 'chai';
import { createRegistry } from '../../src/handler/registry.js';
import { Invalid } from '../../src/job/errors.js';
import { createHttpPush, type HttpPushSettings } from '../../workers/http-push.js';

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
