import { expect } from 'chai';
import { validate, version } from 'uuid';
import type { Accepted, ErrorCode } from '../../src/api/contract.js';
import { Invalid, OutcomeUnknown, Refused, Unavailable } from '../../src/job/errors.js';
import { acceptedAtMs } from '../../src/job/job.js';
import { createDeferred } from '../support/deferred.js';
import { expectProblem } from './support/problem.js';
import { type Served, serve } from './support/serve.js';

describe('POST /v1/jobs', () => {
  let served: Served;

  beforeEach(async () => {
    served = await serve();
  });

  afterEach(() => served.close());

  it('answers 202 with the job, its place and its durability', async () => {
    const reply = await served.submit({ type: 'mail.send', payload: { to: 'a@example.org' } });
    const accepted = reply.json<Accepted>();
    expect(reply.status).to.equal(202);
    expect(reply.headers['content-type']).to.equal('application/json');
    expect(reply.headers['location']).to.equal(`/v1/jobs/${accepted.id}`);
    expect(accepted).to.deep.equal({
      id: accepted.id,
      type: 'mail.send',
      queue: 'mail',
      state: 'queued',
      acceptedAt: new Date(acceptedAtMs(accepted)).toISOString(),
      durability: 'quorum',
      links: { self: `/v1/jobs/${accepted.id}`, cancel: `/v1/jobs/${accepted.id}/cancel` },
    });
    expect(validate(accepted.id) && version(accepted.id)).to.equal(7);
    expect(served.observed.accepted).to.deep.equal([accepted.id]);
  });

  it('answers only after the broker has confirmed', async () => {
    const confirm = createDeferred();
    served.broker.script = () => confirm.promise;
    let isAnswered = false;
    const reply = served.submit({ type: 'echo', payload: 1 }).then((answered) => {
      isAnswered = true;
      return answered;
    });
    await served.broker.untilAsked(1);
    expect((await served.ask({ method: 'GET', path: '/livez' })).status).to.equal(200);
    expect(isAnswered).to.equal(false);
    expect(served.observed.accepted).to.deep.equal([]);
    confirm.resolve();
    expect((await reply).status).to.equal(202);
  });

  it('publishes a plain job with nothing but defaults', async () => {
    await served.submit({ type: 'echo', payload: { a: 1 } });
    const [job] = served.broker.stored;
    expect(job).to.deep.equal({
      id: job?.id,
      type: 'echo',
      queue: 'default',
      lane: 'normal',
      body: Buffer.from('{"a":1}'),
      run: 1,
      attempt: 1,
      dueAtMs: acceptedAtMs({ id: job?.id ?? '' }),
    });
  });

  it('keeps the bytes of the payload as they came', async () => {
    const payload = '{ "b" : 12345678901234567890, "a":[1.0 ,"\\u00e9\u00e9"] }';
    const body = `{"type":"echo", "payload" :  ${payload}\n, "queue":"mail"}`;
    const reply = await served.ask({ headers: { 'content-type': 'application/json' }, body });
    expect(reply.status).to.equal(202);
    expect(served.broker.stored[0]?.body.toString()).to.equal(payload);
  });

  it('carries queue, priority and limits', async () => {
    const expiresAt = '2199-01-01T00:00:00.250+01:00';
    await served.submit({
      type: 'echo',
      payload: null,
      queue: 'mail',
      priority: 'high',
      maxAttempts: 3,
      timeoutMs: 10,
      expiresAt,
    });
    expect(served.broker.stored[0]).to.include({
      queue: 'mail',
      lane: 'high',
      maxAttempts: 3,
      timeoutMs: 10,
      expiresAtMs: Date.parse(expiresAt),
    });
  });

  it('holds a delayed job back until its time', async () => {
    const reply = await served.submit({ type: 'echo', payload: 1, delayMs: 60_000 });
    const [job] = served.broker.stored;
    expect(reply.json<Accepted>().state).to.equal('scheduled');
    expect(job && job.dueAtMs - acceptedAtMs(job)).to.equal(60_000);
  });

  it('holds a job back until runAt, and takes a past one as now', async () => {
    const runAt = new Date(Date.now() + 3_600_000).toISOString();
    const later = await served.submit({ type: 'echo', payload: 1, runAt });
    const past = await served.submit({ type: 'echo', payload: 1, runAt: '2001-01-01T00:00:00Z' });
    expect(later.json<Accepted>().state).to.equal('scheduled');
    expect(served.broker.stored[0]?.dueAtMs).to.equal(Date.parse(runAt));
    expect(past.json<Accepted>().state).to.equal('queued');
    expect(served.broker.stored[1]?.dueAtMs).to.equal(acceptedAtMs(past.json<Accepted>()));
  });

  it('carries a valid trace context and ignores a malformed one', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const job = { type: 'echo', payload: 1 };
    await served.submit(job, { traceparent, tracestate: 'a=1,b=2' });
    await served.submit(job, { traceparent: 'nonsense', tracestate: 'a=1' });
    expect(served.broker.stored[0]).to.include({ traceparent, tracestate: 'a=1,b=2' });
    expect(served.broker.stored[1]).to.not.have.any.keys('traceparent', 'tracestate');
  });

  it('takes the absolute form of its address', async () => {
    const raw = await served.raw();
    const body = '{"type":"echo","payload":1}';
    raw.write(
      `POST http://any.example/v1/jobs HTTP/1.1\r\nHost: any.example\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(await raw.until(/\r\n\r\n\{.*\}/)).to.match(/^HTTP\/1\.1 202 /);
    raw.socket.destroy();
  });

  describe('refuses', () => {
    const refusals: readonly {
      readonly what: string;
      readonly job: unknown;
      readonly code: ErrorCode;
      readonly detail: string | RegExp;
    }[] = [
      {
        what: 'an unknown type',
        job: { type: 'nope', payload: 1 },
        code: 'unknown_job_type',
        detail: "there is no job type 'nope'; known are echo, mail.send",
      },
      {
        what: 'an unknown queue',
        job: { type: 'echo', payload: 1, queue: 'nope' },
        code: 'unknown_queue',
        detail: "there is no queue 'nope'; known are default, mail",
      },
      {
        what: 'a payload that does not fit',
        job: { type: 'mail.send', payload: {} },
        code: 'invalid_payload',
        detail: "the payload must have 'to' at ''",
      },
      {
        what: 'an unknown field',
        job: { type: 'echo', payload: 1, delay: 5 },
        code: 'invalid_job',
        detail: /unknown field 'delay', known are type, payload/,
      },
      { what: 'a missing payload', job: { type: 'echo' }, code: 'invalid_job', detail: /payload/ },
      {
        what: 'a type that is no string',
        job: { type: 7, payload: 1 },
        code: 'invalid_job',
        detail: /'type' must be string/,
      },
      {
        what: 'an unknown priority',
        job: { type: 'echo', payload: 1, priority: 'urgent' },
        code: 'invalid_job',
        detail: /'priority'.*: high, normal, low/,
      },
      {
        what: 'a negative delay',
        job: { type: 'echo', payload: 1, delayMs: -1 },
        code: 'invalid_job',
        detail: /'delayMs' must be >= 0/,
      },
      {
        what: 'a delay beyond 310 days',
        job: { type: 'echo', payload: 1, delayMs: 311 * 86_400_000 },
        code: 'invalid_job',
        detail: /'delayMs' must be <=/,
      },
      {
        what: 'a runAt beyond 310 days',
        job: { type: 'echo', payload: 1, runAt: '2190-01-01T00:00:00Z' },
        code: 'invalid_job',
        detail: /310 days ahead/,
      },
      {
        what: 'delayMs together with runAt',
        job: { type: 'echo', payload: 1, delayMs: 1, runAt: '2030-01-01T00:00:00Z' },
        code: 'invalid_job',
        detail: /not both/,
      },
      {
        what: 'a date without offset',
        job: { type: 'echo', payload: 1, runAt: '2030-01-01T00:00:00' },
        code: 'invalid_job',
        detail: /'runAt'/,
      },
      {
        what: 'a day that does not exist',
        job: { type: 'echo', payload: 1, runAt: '2030-02-30T00:00:00Z' },
        code: 'invalid_job',
        detail: /'runAt'/,
      },
      {
        what: 'a leap second',
        job: { type: 'echo', payload: 1, runAt: '2030-06-30T23:59:60Z' },
        code: 'invalid_job',
        detail: /'runAt' must be a date/,
      },
      {
        what: 'an expiry in the past',
        job: { type: 'echo', payload: 1, expiresAt: '2001-01-01T00:00:00Z' },
        code: 'invalid_job',
        detail: /passed already/,
      },
      {
        what: 'an expiry before the due time',
        job: {
          type: 'echo',
          payload: 1,
          delayMs: 310 * 86_400_000,
          expiresAt: new Date(Date.now() + 300 * 86_400_000).toISOString(),
        },
        code: 'invalid_job',
        detail: /later than the time the job is due/,
      },
      {
        what: 'no attempts',
        job: { type: 'echo', payload: 1, maxAttempts: 0 },
        code: 'invalid_job',
        detail: /'maxAttempts'/,
      },
      {
        what: 'an array',
        job: [{ type: 'echo', payload: 1 }],
        code: 'invalid_job',
        detail: /must be a JSON object/,
      },
      { what: 'null', job: null, code: 'invalid_job', detail: /must be a JSON object/ },
      {
        what: 'idempotencyKey',
        job: { type: 'echo', payload: 1, idempotencyKey: 'k' },
        code: 'invalid_job',
        detail: /'idempotencyKey' is for items of a batch; send the header Idempotency-Key/,
      },
      {
        what: 'orderingKey',
        job: { type: 'echo', payload: 1, orderingKey: 'k' },
        code: 'invalid_job',
        detail: /'orderingKey' is not supported by this version/,
      },
      {
        what: 'callbackUrl',
        job: { type: 'echo', payload: 1, callbackUrl: 'http://x' },
        code: 'invalid_job',
        detail: /'callbackUrl' is not supported by this version/,
      },
    ];
    for (const { what, job, code, detail } of refusals) {
      it(`${what} as 422 ${code}`, async () => {
        const reply = await served.submit(job);
        expectProblem(reply, 422, code);
        expect(reply.json().detail).to.match(typeof detail === 'string' ? new RegExp(`^${detail}$`) : detail);
        expect(served.broker.asked).to.deep.equal([]);
        expect(served.observed.refused).to.deep.equal([code]);
      });
    }

    it('all faults in one message', async () => {
      const { detail } = (await served.submit({ type: 1, payload: 1, timeoutMs: 0, priority: 5 })).json();
      expect(detail).to.match(/'type'.*'priority'.*'timeoutMs'/);
    });

    it('a hundred unknown fields with a short message', async () => {
      const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`f${index}`, 1]));
      const reply = await served.submit({ type: 'echo', payload: 1, ...many });
      expectProblem(reply, 422, 'invalid_job');
      expect(reply.json().detail).to.include("'f9'").and.not.include("'f10'");
    });

    it('an Idempotency-Key where none can be kept', async () => {
      const reply = await served.submit({ type: 'echo', payload: 1 }, { 'idempotency-key': 'k' });
      expectProblem(reply, 400, 'invalid_request');
      expect(served.broker.asked).to.deep.equal([]);
    });

    it('query parameters', async () => {
      const reply = await served.ask({
        path: '/v1/jobs?delayMs=5',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      });
      expectProblem(reply, 400, 'invalid_request');
    });

    it('another path as 404 not_found', async () => {
      for (const path of ['/v1/job', '/v1/jobs/', '/v1/jobs/x/y', '/', '/v1/%6Aobs', '/%', '//v1/jobs']) {
        expectProblem(await served.ask({ method: 'GET', path }), 404, 'not_found');
      }
    });

    it('another method as 405 method_not_allowed, naming the right one', async () => {
      for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS'] as const) {
        const reply = await served.ask({ method });
        expectProblem(reply, 405, 'method_not_allowed');
        expect(reply.headers['allow']).to.equal('POST');
      }
      const head = await served.ask({ method: 'HEAD' });
      expect([head.status, head.text]).to.deep.equal([405, '']);
    });
  });

  describe('maps the broker that', () => {
    const endings: readonly {
      readonly what: string;
      readonly error: Error;
      readonly status: number;
      readonly code: ErrorCode;
      readonly retryAfter?: string;
    }[] = [
      {
        what: 'is away',
        error: new Unavailable('not connected'),
        status: 503,
        code: 'broker_unavailable',
        retryAfter: '1',
      },
      {
        what: 'has its window full',
        error: new Refused('overloaded', 'full', 2500),
        status: 503,
        code: 'overloaded',
        retryAfter: '3',
      },
      {
        what: 'has its queue full',
        error: new Refused('queue_full', 'full', 100),
        status: 429,
        code: 'queue_full',
        retryAfter: '1',
      },
      {
        what: 'finds no queue',
        error: new Invalid('unroutable', 'no queue takes it'),
        status: 422,
        code: 'invalid_job',
      },
    ];
    for (const { what, error, status, code, retryAfter } of endings) {
      it(`${what} to ${status} ${code}`, async () => {
        served.broker.script = () => Promise.reject(error);
        const reply = await served.submit({ type: 'echo', payload: 1 });
        expectProblem(reply, status, code);
        expect(reply.headers['retry-after']).to.equal(retryAfter);
        expect(reply.json().detail).to.equal(error.message);
      });
    }

    it('does not answer to 503 with the id of the job whose outcome is unknown', async () => {
      served.broker.script = () => Promise.reject(new OutcomeUnknown('no confirm within 10 s'));
      const reply = await served.submit({ type: 'echo', payload: 1 });
      expectProblem(reply, 503, 'broker_unavailable');
      expect(reply.headers['retry-after']).to.equal('1');
      expect(reply.json().id).to.equal(served.broker.asked[0]?.id);
      expect(reply.json().detail).to.include('outcome unknown').and.include(served.broker.asked[0]?.id);
      expect(served.observed.accepted).to.deep.equal([]);
    });

    it('fails in an unforeseen way to 500, telling the log and not the client', async () => {
      served.broker.script = () => Promise.reject(new TypeError('inner secret'));
      const reply = await served.submit({ type: 'echo', payload: 1 }, { 'x-request-id': 'req-7' });
      expectProblem(reply, 500, 'internal_error');
      expect(reply.text).to.not.include('inner secret');
      expect(reply.headers['x-request-id']).to.equal('req-7');
      expect(served.logged()).to.include('inner secret').and.include('"requestId":"req-7"');
    });
  });

  it('tells its observer route and status of every request', async () => {
    await served.submit({ type: 'echo', payload: 1 });
    await served.submit({ type: 'nope', payload: 1 });
    await served.ask({ method: 'GET', path: '/livez?x=1' });
    await served.ask({ method: 'GET', path: '/no/such/thing' });
    expect(served.observed.requested).to.deep.equal([
      { method: 'POST', route: '/v1/jobs', status: 202 },
      { method: 'POST', route: '/v1/jobs', status: 422 },
      { method: 'GET', route: '/livez', status: 200 },
      { method: 'GET', route: 'other', status: 404 },
    ]);
  });
});
