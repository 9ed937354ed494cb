/** One request of the client: when it is sent again, and how it fails. */
import { expect } from 'chai';
import { SluiceConnectionError, type SluiceHttpError } from '../../src/client/errors.js';
import { type Call, createRequests } from '../../src/client/requests.js';
import { retryAfterMs, retryDelayMs } from '../../src/client/retry.js';
import { broken, failureOf, type Reply, refused, scripted, unreachable } from './support/scripted.js';

const look: Call = { method: 'GET', path: '/v1/queues', repeat: 'always' };
const order: Call = { method: 'POST', path: '/v1/dead-letters/replay', repeat: 'if-refused' };
const done: Reply = { status: 200, body: { fine: true } };
/** The replies in turn, the last one for ever. */
const inTurn =
  (...replies: readonly Reply[]) =>
  (_: unknown, index: number): Reply =>
    replies[Math.min(index, replies.length - 1)] ?? done;

describe('a request of the client', () => {
  it('goes to the address with its key, its parameters and its body', async () => {
    const { requests, seen } = scripted(() => done, { url: 'http://sluice.test/under/', apiKey: 'k-1' });
    const body = { type: 'application/json', content: '{"a":1}' } as const;
    const answer = await requests.send({ ...order, query: { limit: 5, type: 'a b', none: undefined }, body });
    expect(answer).to.deep.equal({ body: { fine: true }, text: '{"fine":true}' });
    expect(seen[0]).to.include({
      method: 'POST',
      path: '/under/v1/dead-letters/replay?limit=5&type=a+b',
      body: '{"a":1}',
    });
    expect(seen[0]?.headers.get('authorization')).to.equal('Bearer k-1');
    expect(seen[0]?.headers.get('content-type')).to.equal('application/json');
  });

  it('is sent again after 429, 503, a gateway that had no answer, and a lost connection', async () => {
    const replies = [refused('queue_full', 429), refused('overloaded'), { status: 502, body: '<html>' }];
    const { requests, seen, pauses } = scripted(inTurn(...replies, broken, unreachable, done), { random: 1 });
    expect(await requests.ask(look)).to.deep.equal({ fine: true });
    expect(seen).to.have.length(6);
    expect(pauses).to.deep.equal([250, 500, 1000, 2000, 4000]);
  });

  it('that must not be done twice is sent again only when it was certainly not done', async () => {
    for (const reply of [refused('overloaded'), refused('queue_full', 429), unreachable]) {
      const { requests, seen } = scripted(inTurn(reply, done));
      await requests.ask(order);
      expect(seen).to.have.length(2);
    }
    const unknowns = [
      broken,
      { status: 504, body: '' },
      refused('broker_unavailable', 503, { id: 'x' }),
      refused('broker_unavailable', 503, { detail: 'outcome unknown: no confirm' }),
      refused('broker_unavailable', 503, { errors: [{ index: 0, detail: 'outcome unknown: no confirm' }] }),
    ];
    for (const reply of unknowns) {
      const { requests, seen } = scripted(inTurn(reply, done));
      const failure = await failureOf<SluiceHttpError>(requests.ask(order));
      expect(failure)
        .to.have.property('code')
        .that.is.oneOf(['no_answer', 'unexpected_answer', 'broker_unavailable']);
      if (failure.name === 'SluiceHttpError') expect(failure.isOutcomeUnknown).to.equal(true);
      expect(seen).to.have.length(1);
    }
  });

  it('waits as long as Retry-After says and a random while on top', async () => {
    const seconds: Reply = { status: 503, body: { code: 'overloaded' }, headers: { 'retry-after': '7' } };
    const date = { ...seconds, headers: { 'retry-after': 'Thu, 01 Jan 1970 00:00:30 GMT' } };
    const { requests, pauses } = scripted(inTurn(seconds, date, done), { random: 0.5, now: 10_000 });
    await requests.ask(look);
    expect(pauses).to.deep.equal([7125, 20_250]);
  });

  it('gives up after its attempts, or when it is to wait for too long, and tells how long that is', async () => {
    const { requests, seen } = scripted(() => refused('overloaded'), { retry: { attempts: 3 } });
    expect(await failureOf(requests.ask(look))).to.include({ status: 503, code: 'overloaded' });
    expect(seen).to.have.length(3);
    const long: Reply = { status: 503, body: { code: 'overloaded' }, headers: { 'retry-after': '61' } };
    const impatient = scripted(() => long);
    expect(await failureOf(impatient.requests.ask(look))).to.include({ retryAfterMs: 61_000 });
    expect(impatient.seen).to.have.length(1);
    const once = scripted(() => refused('overloaded'));
    await failureOf(once.requests.ask({ ...look, retry: { attempts: 1 } }));
    expect(once.seen).to.have.length(1);
  });

  it('is not sent again after any other refusal, and tells all of it', async () => {
    for (const [status, code] of [
      [400, 'malformed_json'],
      [401, 'unauthorized'],
      [404, 'not_found'],
      [409, 'conflict'],
      [422, 'invalid_payload'],
      [500, 'internal_error'],
    ] as const) {
      const { requests, seen } = scripted(() => refused(code, status, { state: 'dead' }));
      const error = await failureOf<SluiceHttpError>(requests.ask(look));
      expect(error).to.include({ name: 'SluiceHttpError', status, code, detail: 'so it is' });
      expect(error.message).to.equal(`${status} ${code}: so it is`);
      expect(error.problem).to.include({ state: 'dead' });
      expect(seen).to.have.length(1);
    }
  });

  it('waits for a 404 that asks to be tried again where the call wants that', async () => {
    const fresh: Reply = { status: 404, body: { code: 'not_found' }, headers: { 'retry-after': '1' } };
    const { requests, pauses } = scripted(inTurn(fresh, done));
    await requests.ask({ ...look, alsoWaitFor: 404 });
    expect(pauses).to.deep.equal([1000]);
    expect(await failureOf(scripted(() => fresh).requests.ask(look))).to.include({ status: 404 });
  });

  it('says when it is no Sluice server that answers', async () => {
    const strange: readonly (readonly [Reply, RegExp])[] = [
      [{ status: 200, body: '<html>' }, /is the url right\?/],
      [{ status: 200, body: '[1]' }, /is the url right\?/],
      [{ status: 404, body: '<html>' }, /is the url right\?/],
      [{ status: 301, headers: { location: 'https://there/' } }, /set the url to https:\/\/there\//],
    ];
    for (const [reply, detail] of strange) {
      const error = await failureOf<SluiceHttpError>(scripted(() => reply).requests.ask(look));
      expect(error.code).to.equal('unexpected_answer');
      expect(error.detail).to.match(detail);
    }
  });

  it('tells a server that was not reached from one that did not answer', async () => {
    const retry = { attempts: 1 };
    const away = await failureOf(scripted(() => unreachable, { retry }).requests.ask(look));
    expect(away).to.be.instanceOf(SluiceConnectionError).and.include({ code: 'unreachable' });
    expect(away.message).to.equal('cannot reach http://sluice.test: connect ECONNREFUSED');
    const cut = await failureOf(scripted(() => broken, { retry }).requests.ask(look));
    expect(cut).to.include({ code: 'no_answer' });
    expect((cut.cause as Error).message).to.equal('fetch failed');
    const slow = await failureOf(
      scripted(() => 'silence', { retry, requestTimeoutMs: 1 }).requests.ask(look),
    );
    expect(slow).to.include({
      code: 'no_answer',
      message: 'http://sluice.test has not answered within 1 ms',
    });
  });

  it('ends by its signal with the reason of it: before, during and between attempts', async () => {
    const reason = new Error('no longer wanted');
    const { requests, seen } = scripted(() => 'silence');
    expect(await failureOf(requests.ask({ ...look, signal: AbortSignal.abort(reason) }))).to.equal(reason);
    expect(seen).to.have.length(0);
    const during = new AbortController();
    const asked = failureOf(requests.ask({ ...look, signal: during.signal }));
    during.abort(reason);
    expect(await asked).to.equal(reason);
    const between = new AbortController();
    const pausing = scripted(() => {
      between.abort(reason);
      return refused('overloaded');
    });
    expect(await failureOf(pausing.requests.ask({ ...look, signal: between.signal }))).to.equal(reason);
    expect(pausing.seen).to.have.length(1);
  });

  it('refuses an address or a key that cannot be used, and does not repeat the key', () => {
    for (const url of [
      'localhost:8080',
      '/v1',
      '',
      'ftp://x',
      'http://me:hush@x',
      'http://x?a',
      'http://x#a',
    ])
      expect(() => createRequests({ url }), url).to.throw(TypeError, /url must/);
    expect(() => createRequests({ url: 'http://x', apiKey: 'hush\nhush' }))
      .to.throw(TypeError, /apiKey must/)
      .with.property('message')
      .that.does.not.include('hush');
  });
});

describe('the wait before another attempt', () => {
  const policy = { attempts: 10, baseMs: 100, maxMs: 1000 };

  it('is a random time below a bound that doubles up to the greatest', () => {
    const bounds = [1, 2, 3, 4, 5, 6].map((attempt) => retryDelayMs(attempt, policy, undefined, 1));
    expect(bounds).to.deep.equal([100, 200, 400, 800, 1000, 1000]);
    expect(retryDelayMs(3, policy, undefined, 0)).to.equal(0);
    expect(retryDelayMs(10, policy, undefined, 0)).to.equal(undefined);
  });

  it('is read from seconds or a date, and from nothing else', () => {
    expect(
      ['0', '7', 'Thu, 01 Jan 1970 00:01:00 GMT', 'soon', '-1', null].map((one) => retryAfterMs(one, 5000)),
    ).to.deep.equal([0, 7000, 55_000, undefined, undefined, undefined]);
  });
});
