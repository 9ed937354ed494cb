import { expect } from 'chai';
import { expectProblem } from './support/problem.js';
import { apiKey, type Served, serve } from './support/serve.js';

const job = { type: 'echo', payload: 1 };
const keys = [
  apiKey('shop', 'sk-shop-4711', ['submit']),
  apiKey('desk', 'sk-desk-4712', ['read', 'operate']),
  apiKey('root', 'sk-root-4713', ['submit', 'read', 'operate']),
];

describe('access with API keys', () => {
  let served: Served;

  beforeEach(async () => {
    served = await serve({ keys });
  });

  afterEach(() => served.close());

  for (const secret of ['sk-shop-4711', 'sk-root-4713']) {
    it(`lets ${secret} submit`, async () => {
      expect((await served.submit(job, { authorization: `Bearer ${secret}` })).status).to.equal(202);
      expect((await served.submit(job, { authorization: `bearer  ${secret}` })).status).to.equal(202);
    });
  }

  it('is 403 forbidden without the scope, naming it', async () => {
    for (const path of ['/v1/jobs', '/v1/jobs/batch', '/v1/jobs?x=1']) {
      const headers = { authorization: 'Bearer sk-desk-4712', 'content-type': 'application/json' };
      const reply = await served.ask({ path, headers, body: JSON.stringify([job]) });
      expectProblem(reply, 403, 'forbidden');
      expect(reply.headers['www-authenticate']).to.include('scope="submit"');
      expect(reply.json().detail).to.include("'submit'");
    }
    expect(served.broker.asked).to.deep.equal([]);
  });

  const wrong: readonly (readonly [string, string | undefined])[] = [
    ['no header', undefined],
    ['an empty one', ''],
    ['another scheme', 'Basic c2stc2hvcC00NzEx'],
    ['a scheme alone', 'Bearer'],
    ['an unknown key', 'Bearer sk-none-0000'],
    ['a known key with more behind it', 'Bearer sk-shop-4711x'],
    ['two keys', 'Bearer sk-shop-4711 sk-root-4713'],
    ['the hash of a key', `Bearer ${keys[0]?.sha256.toString('hex')}`],
  ];
  for (const [what, authorization] of wrong) {
    it(`is 401 unauthorized with ${what}`, async () => {
      const reply = await served.submit(job, authorization === undefined ? {} : { authorization });
      expectProblem(reply, 401, 'unauthorized');
      expect(reply.headers['www-authenticate']).to.match(/^Bearer realm="sluice"/);
      expect(served.broker.asked).to.deep.equal([]);
    });
  }

  it('tells a stranger nothing of which paths there are', async () => {
    expectProblem(await served.ask({ method: 'GET', path: '/v1/nothing' }), 401, 'unauthorized');
    const authorization = 'Bearer sk-desk-4712';
    expectProblem(
      await served.ask({ method: 'GET', path: '/v1/nothing', headers: { authorization } }),
      404,
      'not_found',
    );
    expectProblem(await served.ask({ method: 'GET', headers: { authorization } }), 405, 'method_not_allowed');
  });

  it("leaves the operators' routes open", async () => {
    for (const path of ['/livez', '/readyz', '/metrics']) {
      expect((await served.ask({ method: 'GET', path })).status).to.equal(200);
    }
  });

  it('writes no key into a log or an answer', async () => {
    served.broker.script = () => Promise.reject(new TypeError('unforeseen'));
    const replies = [
      await served.submit(job, { authorization: 'Bearer sk-shop-4711' }),
      await served.submit(job, { authorization: 'Bearer sk-wrong-9999' }),
      await served.submit(job, { authorization: 'Bearer sk-desk-4712' }),
    ];
    expect(replies.map(({ status }) => status)).to.deep.equal([500, 401, 403]);
    expect(served.logged()).to.include('unforeseen');
    for (const text of [
      served.logged(),
      ...replies.map((reply) => reply.text + JSON.stringify(reply.headers)),
    ]) {
      expect(text).to.not.match(/sk-\w+-\d{4}/);
    }
  });
});
