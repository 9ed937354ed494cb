import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { Agent } from 'undici';
import { DeadLetter } from '../../src/handler/define.js';
import { follow } from '../../workers/follow.js';
import { createEndpoint, type Endpoint } from './endpoint.js';
import { jobId, rejection } from './running.js';
import { selfSigned } from './self-signed.js';

describe('http.push follows redirects:', () => {
  let at: Endpoint;
  beforeEach(async () => {
    at = await createEndpoint();
  });
  afterEach(() => at.cleanUp());

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

  it('not from https down to http', async () => {
    const secure = createServer(selfSigned, (request, response) => {
      response.writeHead(307, { location: request.url === '/down' ? at.origin : '/down' }).end();
    }).listen(0, '127.0.0.1');
    await once(secure, 'listening');
    const url = new URL(`https://127.0.0.1:${(secure.address() as AddressInfo).port}/up`);
    const dispatcher = new Agent({ connect: { ca: selfSigned.cert } });
    const call = {
      url,
      method: 'POST',
      headers: {},
      body: 'x',
      signal: new AbortController().signal,
    } as const;
    const error = await rejection(follow(call, {}, dispatcher));
    await dispatcher.close();
    secure.close();
    expect(error)
      .to.be.instanceOf(DeadLetter)
      .with.property('message')
      .that.contains('from https down to http');
    expect(at.visits).to.have.length(0);
  });
});
