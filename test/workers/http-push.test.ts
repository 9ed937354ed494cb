import { expect } from 'chai';
import { Webhook } from 'standardwebhooks';
import { DeadLetter, RetryLater } from '../../src/handler/define.js';
import { createHttpPush } from '../../workers/http-push.js';
import { createEndpoint, type Endpoint } from './endpoint.js';
import { jobId, rejection, run } from './running.js';

describe('http.push sends', () => {
  let at: Endpoint;
  beforeEach(async () => {
    at = await createEndpoint();
  });
  afterEach(() => at.cleanUp());

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
    expect(at.visits[0]?.headers).to.include({ 'content-length': '0' }).and.not.have.property('content-type');
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

describe('http.push judges the answer:', () => {
  let at: Endpoint;
  beforeEach(async () => {
    at = await createEndpoint();
  });
  afterEach(() => at.cleanUp());

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
