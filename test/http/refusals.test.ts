/** Every refusal that the OpenAPI document tells of is given by a live server, as it is told: each operation, each code. */
import { expect } from 'chai';
import type { ErrorCode } from '../../src/api/contract.js';
import { createJobId } from '../../src/http/job-id.js';
import { Refused, StoreUnavailable, Unavailable } from '../../src/job/errors.js';
import type { Watched } from '../../src/operations/dead-letters.js';
import { createDeferred } from '../support/deferred.js';
import { eventually } from '../support/eventually.js';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.js';
import { codesOf } from './support/documented.js';
import { put } from './support/rows.js';
import {
  type Ask,
  apiKey,
  documented,
  jobTypes,
  type Raw,
  type Reply,
  type Served,
  serve,
} from './support/serve.js';

type Operation = (typeof documented.operations)[number];

const json = { 'content-type': 'application/json' };
const job = '{"type":"echo","payload":1}';
const someId = createJobId(Date.now());
const nameOf = ({ operation }: Operation): string => operation.operationId;

function codesOfOperation({ operation }: Operation): string[] {
  return Object.values(operation.responses).flatMap((response) => codesOf(response));
}
function withCode(code: ErrorCode): Operation[] {
  return documented.operations.filter((one) => codesOfOperation(one).includes(code));
}
function named(id: string): Operation {
  const found = documented.operations.find((one) => nameOf(one) === id);
  if (found === undefined) throw new Error(`there is no operation ${id}`);
  return found;
}
function pathOf({ path }: Operation, id = someId): string {
  return path.replace('{id}', id).replace('{name}', 'default');
}
/** A request that nothing is wrong with. */
function askOf(one: Operation, changes: Ask = {}): Ask {
  const bodies: Record<string, string> = {
    submitJob: job,
    submitBatch: `[${job}]`,
    replayDeadLetters: '{"filter":{}}',
    discardDeadLetters: '{"filter":{}}',
    changeQueue: '{"concurrency":1}',
  };
  const body = bodies[nameOf(one)];
  const method = one.method.toUpperCase() as 'GET';
  return { method, path: pathOf(one), ...(body === undefined ? {} : { body, headers: json }), ...changes };
}
/** The same with this body. */
function withBody(one: Operation, body: string | Buffer, headers: Record<string, string> = json): Ask {
  return askOf(one, {
    body: one.path.endsWith('/batch') && body === '{"odd":1}' ? `[${body}]` : body,
    headers,
  });
}

describe('the refusals of the OpenAPI document', () => {
  const provoked = new Set<string>();
  let store: MemoryStore;
  let served: Served;

  async function open(overrides: Parameters<typeof serve>[0] = {}): Promise<void> {
    served = await serve({ store, ...overrides });
  }

  /** The answer has been held against the document by `ask` already. */
  function note(one: Operation, reply: Pick<Reply, 'text'>, code: ErrorCode): void {
    const name = `${nameOf(one)} ${code}`;
    expect(JSON.parse(reply.text).code, `${name}: ${reply.text}`).to.equal(code);
    provoked.add(name);
  }

  /** Half a request, whose rest is `rest`, on a connection of its own. */
  async function half(head: string): Promise<Raw> {
    const raw = await served.raw();
    raw.write(head);
    return raw;
  }

  async function noteRaw(one: Operation, raw: Raw, code: ErrorCode): Promise<void> {
    const [head = '', text = ''] = (await raw.untilClosed()).split('\r\n\r\n');
    const [first = '', ...lines] = head.split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => [line.split(': ')[0]?.toLowerCase() ?? '', line.split(': ').slice(1).join(': ')]),
    );
    const answered = { status: Number(first.split(' ')[1]), headers, text };
    documented.expectAnswer(one.method.toUpperCase(), pathOf(one), answered);
    note(one, answered, code);
  }

  beforeEach(() => {
    store = createMemoryStore();
  });
  afterEach(() => served.close());

  it('unauthorized, forbidden: the key, and the scope that the document names', async () => {
    const keys = (['submit', 'read', 'operate'] as const).map((scope) => apiKey(scope, scope, [scope]));
    await open({ keys });
    for (const one of withCode('unauthorized'))
      note(one, await served.ask({ ...askOf(one), headers: {} }), 'unauthorized');
    for (const one of withCode('forbidden')) {
      const [scope] = one.operation.security.flatMap((needs) => Object.values(needs).flat());
      for (const { name } of keys) {
        const reply = await served.ask(askOf(one, { headers: { ...json, authorization: `Bearer ${name}` } }));
        if (name === scope) expect(reply.status, nameOf(one)).to.not.be.oneOf([401, 403]);
        else {
          note(one, reply, 'forbidden');
          expect(reply.headers['www-authenticate']).to.include(`scope="${scope}"`);
        }
      }
    }
  });

  it('invalid_request: no Host', async () => {
    await open({ statics: [] });
    for (const one of withCode('invalid_request')) {
      const raw = await half(
        `${one.method.toUpperCase()} ${pathOf(one)} HTTP/1.1\r\nConnection: close\r\n\r\n`,
      );
      await noteRaw(one, raw, 'invalid_request');
    }
  });

  it('malformed_json, invalid_job, unsupported_media_type, payload_too_large: the body', async () => {
    await open();
    const big = Buffer.alloc(80 * 1024, 32);
    for (const one of withCode('malformed_json'))
      note(one, await served.ask(withBody(one, '{')), 'malformed_json');
    for (const one of withCode('invalid_job'))
      note(one, await served.ask(withBody(one, '{"odd":1}')), 'invalid_job');
    for (const one of withCode('unsupported_media_type'))
      note(
        one,
        await served.ask(withBody(one, '{}', { 'content-type': 'text/plain' })),
        'unsupported_media_type',
      );
    for (const one of withCode('payload_too_large'))
      note(one, await served.ask(withBody(one, big)), 'payload_too_large');
  });

  it('request_timeout: half a body', async () => {
    await open({ timeouts: { bodyMs: 30 } });
    for (const one of withCode('request_timeout')) {
      const head = `${one.method.toUpperCase()} ${pathOf(one)} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
      await noteRaw(one, await half(`${head}Content-Length: 9\r\n\r\n{`), 'request_timeout');
    }
  });

  it('overloaded: as many bytes held as may be, as many waiting as may', async () => {
    await open({ desk: { mostWaiters: 0 } });
    put(store, { id: someId });
    note(
      named('getJob'),
      await served.ask({ method: 'GET', path: `/v1/jobs/${someId}?wait=1` }),
      'overloaded',
    );
    const hold = (path: string, bytes: number): Promise<Raw> =>
      half(
        `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${bytes + 1}\r\n\r\n${' '.repeat(bytes)}`,
      );
    // All but a few bytes of what the bodies of each side may hold together.
    const held = await Promise.all([
      ...Array.from({ length: 4 }, () => hold('/v1/jobs/batch', 65_500)),
      ...Array.from({ length: 16 }, () => hold(`/v1/jobs/${someId}/replay`, 4_090)),
    ]);
    const body = Buffer.alloc(300, 32);
    for (const one of withCode('overloaded').filter((its) => its.method !== 'get')) {
      let reply: Reply | undefined;
      await eventually(async () => {
        reply = await served.ask(withBody(one, body));
        return reply.status === 503;
      });
      if (reply !== undefined) note(one, reply, 'overloaded');
    }
    for (const { socket } of held) socket.destroy();
  });

  it('shutting_down: a request that is finished after the stop has begun', async () => {
    await open();
    const confirm = createDeferred();
    served.broker.script = () => confirm.promise;
    const busy = served.submit({ type: 'echo', payload: 1 });
    await served.broker.untilAsked(1);
    const halves: (readonly [Operation, Raw])[] = [];
    for (const one of withCode('shutting_down'))
      halves.push([one, await half(`${one.method.toUpperCase()} ${pathOf(one)} HTTP/1.1\r\n`)]);
    await served.ask({ method: 'GET', path: '/livez' });
    const stopping = served.http.stop();
    for (const [one, raw] of halves) {
      raw.write('Host: x\r\n\r\n');
      await noteRaw(one, raw, 'shutting_down');
    }
    confirm.resolve();
    await Promise.all([busy, stopping]);
  });

  it('internal_error: what nobody has foreseen', async () => {
    const fail = (): never => {
      throw new Error('unforeseen');
    };
    await open({
      ingestion: { jobTypes: { ...jobTypes, checkPayload: fail } },
      desk: { store: { ...store, jobs: { get: fail, list: fail, states: fail } } },
      metrics: { contentType: 'text/plain', render: () => Promise.reject(new Error('unforeseen')) },
    });
    for (const one of withCode('internal_error')) note(one, await served.ask(askOf(one)), 'internal_error');
  });

  it('store_unavailable: the store is away', async () => {
    const away = (): Promise<never> => Promise.reject(new StoreUnavailable('away'));
    await open({
      desk: {
        queues: { names: jobTypes.queues, list: away, get: away, order: away },
        deadLetters: { list: away, start: away, view: away, views: away, stop: away },
        audit: away,
      },
    });
    store.isAway = true;
    for (const one of withCode('store_unavailable')) {
      const ask = askOf(one);
      const keyed: Record<string, Ask> = {
        submitJob: { ...ask, headers: { ...json, 'idempotency-key': 'a' } },
        submitBatch: { ...ask, body: '[{"type":"echo","payload":1,"idempotencyKey":"a"}]' },
      };
      note(one, await served.ask(keyed[nameOf(one)] ?? ask), 'store_unavailable');
    }
  });

  it('broker_unavailable, queue_full: the broker', async () => {
    const away = (): Promise<never> => Promise.reject(new Unavailable('away'));
    await open({ desk: { queues: { names: jobTypes.queues, list: away, get: away, order: away } } });
    served.broker.healthNow = { ok: false, reason: 'away' };
    served.broker.script = away;
    for (const one of withCode('broker_unavailable'))
      note(one, await served.ask(askOf(one)), 'broker_unavailable');
    served.broker.healthNow = { ok: true };
    served.broker.script = () => Promise.reject(new Refused('queue_full', 'the lane is full', 1_000));
    put(store, { id: someId, state: 'dead' }, '1');
    for (const one of withCode('queue_full')) note(one, await served.ask(askOf(one)), 'queue_full');
  });

  it('not_found, conflict: what was asked for', async () => {
    const redrive = { state: 'done', kind: 'replay' } as Watched;
    let found: Watched | undefined;
    const find = () => Promise.resolve(found);
    const unused = (): Promise<never> => Promise.reject(new Error('not asked'));
    await open({
      desk: { deadLetters: { list: unused, start: unused, views: unused, view: find, stop: find } },
    });
    for (const one of withCode('not_found')) {
      const ask = askOf(one, { path: one.path.replace('{id}', someId).replace('{name}', 'nobody') });
      note(one, await served.ask(ask), 'not_found');
    }
    found = redrive;
    for (const one of withCode('conflict')) {
      const state = nameOf(one) === 'replayJob' ? 'queued' : 'succeeded';
      const id = put(store, { state });
      note(one, await served.ask(askOf(one, { path: pathOf(one, id) })), 'conflict');
    }
  });

  it('unknown_job_type, unknown_queue, invalid_payload, idempotency_conflict: the job', async () => {
    await open();
    const gone = put(store, { state: 'dead', type: 'gone' }, '1');
    const stray = put(store, { state: 'dead', queue: 'gone' }, '1');
    const mail = put(store, { state: 'dead', type: 'mail.send' }, '1');
    const cases: readonly (readonly [ErrorCode, object, string])[] = [
      ['unknown_job_type', { type: 'gone', payload: 1 }, gone],
      ['unknown_queue', { type: 'echo', payload: 1, queue: 'gone' }, stray],
      ['invalid_payload', { type: 'mail.send', payload: {} }, mail],
    ];
    for (const [code, wrong, id] of cases) {
      const bodies: Record<string, object> = {
        submitJob: wrong,
        submitBatch: [wrong],
        replayJob: { payload: {} },
      };
      for (const one of withCode(code)) {
        const body = JSON.stringify(bodies[nameOf(one)]);
        note(one, await served.ask({ ...withBody(one, body), path: pathOf(one, id) }), code);
      }
    }
    const keyed = (payload: number): Record<string, Ask> => ({
      submitJob: {
        headers: { ...json, 'idempotency-key': 'a' },
        body: `{"type":"echo","payload":${payload}}`,
      },
      submitBatch: { body: `[{"type":"echo","payload":${payload},"idempotencyKey":"b"}]` },
    });
    for (const one of withCode('idempotency_conflict')) {
      expect((await served.ask(askOf(one, keyed(1)[nameOf(one)]))).status).to.equal(202);
      note(one, await served.ask(askOf(one, keyed(2)[nameOf(one)])), 'idempotency_conflict');
    }
  });

  after(() => {
    const told = documented.operations.flatMap((one) =>
      codesOfOperation(one).map((code) => `${nameOf(one)} ${code}`),
    );
    expect([...provoked].toSorted()).to.deep.equal(told.toSorted());
  });
});
