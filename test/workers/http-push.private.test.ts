import type { LookupFunction } from 'node:net';
import { expect } from 'chai';
import { Agent, buildConnector } from 'undici';
import { DeadLetter } from '../../src/handler/define.js';
import { follow } from '../../workers/follow.js';
import { createHttpPush } from '../../workers/http-push.js';
import { createPublicConnector } from '../../workers/public-address.js';
import { createEndpoint, type Endpoint } from './endpoint.js';
import { rejection, run } from './running.js';

describe('http.push keeps out of private networks:', () => {
  let at: Endpoint;
  beforeEach(async () => {
    at = await createEndpoint();
  });
  afterEach(() => at.cleanUp());

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
