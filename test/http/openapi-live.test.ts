/** The whole program as `start` runs it: its routes are those of its OpenAPI document, and all its answers fit it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Router from '@koa/router';
import { expect } from 'chai';
import { request } from 'undici';
import type { Accepted, BatchAnswer, JobAnswer } from '../../src/api/contract.js';
import type { RedriveAccepted } from '../../src/api/dead-letters.js';
import { assemble, type Running } from '../../src/assemble.js';
import { loadConfig } from '../../src/config.js';
import { createLog } from '../../src/runtime/log.js';
import { createDocumented, type Documented } from './support/documented.js';

/** Of queues that are not paused. */
const dying = { type: 'http.push', payload: { url: 'http://127.0.0.1:9/' }, queue: 'live' };

describe('a running server and its OpenAPI document', () => {
  let folder: string;
  let running: Running;
  let url: string;
  let described: Documented;
  const routes: string[] = [];
  const answered = new Set<string>();

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-openapi-'));
    const config = loadConfig({ DATA_DIR: folder, PORT: '0', QUEUES: 'live' }, 'start');
    const { register } = Router.prototype;
    Router.prototype.register = function (this: Router, path, methods, ...rest) {
      // A refusal of all methods is no route.
      if (methods.length < 10)
        routes.push(...methods.map((method) => `${method.toLowerCase()} ${String(path)}`));
      return register.call(this, path, methods, ...rest);
    } as typeof register;
    try {
      running = await assemble(config, 'start', createLog('silent'));
    } finally {
      Router.prototype.register = register;
    }
    await running.start();
    url = /http:\S+/.exec(running.describe()[0] ?? '')?.[0] ?? '';
    const reply = await request(`${url}/openapi.json`);
    described = createDocumented((await reply.body.json()) as Documented['document']);
  });

  after(async () => {
    await running.stop();
    rmSync(folder, { recursive: true });
  });

  /** Each answer is held against the document; those of a request that was taken count. */
  async function ask<Body = unknown>(
    method: 'GET' | 'POST' | 'PATCH',
    path: string,
    body?: unknown,
    type = 'application/json',
  ): Promise<{ status: number; body: Body }> {
    const reply = await request(`${url}${path}`, {
      method,
      ...(body === undefined
        ? {}
        : {
            headers: { 'content-type': type },
            body: typeof body === 'string' ? body : JSON.stringify(body),
          }),
    });
    const text = await reply.body.text();
    const id = described.expectAnswer(method, path, {
      status: reply.statusCode,
      headers: reply.headers,
      text,
    });
    if (id !== undefined && reply.statusCode < 300) answered.add(id);
    const isJson = String(reply.headers['content-type']).includes('json');
    return { status: reply.statusCode, body: (isJson ? JSON.parse(text) : text) as Body };
  }

  async function ended(job: unknown): Promise<JobAnswer> {
    const { body } = await ask<Accepted>('POST', '/v1/jobs', job);
    return untilEnded(body.id);
  }

  async function untilEnded(id: string): Promise<JobAnswer> {
    for (;;) {
      const { body } = await ask<JobAnswer>('GET', `/v1/jobs/${id}?wait=30`);
      if (body.finishedAt !== undefined) return body;
    }
  }

  it('has the routes that are described, and no others but the files of pages', () => {
    const told = described.operations.map(
      ({ method, path }) => `${method} ${path.replace(/\{(\w+)\}/g, ':$1')}`,
    );
    const isFile = (route: string): boolean =>
      /\.(?:js|css|png|svg|ico|woff2)$/.test(route) || route === 'get /';
    expect(routes.filter((route) => !isFile(route) && !route.startsWith('head ')).toSorted()).to.deep.equal(
      told.toSorted(),
    );
  });

  it('takes every example of a request as it stands', async () => {
    await ask('POST', '/v1/queues/default/pause');
    for (const { operation, path, method } of described.operations) {
      for (const [type, { examples = {} }] of Object.entries(operation.requestBody?.content ?? {})) {
        for (const [name, { value }] of Object.entries(examples)) {
          if (operation.operationId === 'replayJob') continue;
          const live = path.replace('{name}', 'live');
          const { status, body } = await ask<Partial<BatchAnswer>>(
            method.toUpperCase() as 'POST',
            live,
            value,
            type,
          );
          expect([operation.operationId, name, status, body.rejected ?? 0]).to.deep.equal([
            operation.operationId,
            name,
            202,
            0,
          ]);
        }
      }
    }
  });

  it('answers for jobs as described: run, dead, replayed, cancelled', async () => {
    const echo = await ended({
      type: 'echo',
      payload: { hello: 'world' },
      queue: 'live',
      expiresAt: '2999-01-01T00:00:00Z',
    });
    expect([echo.state, echo.result]).to.deep.equal(['succeeded', { hello: 'world' }]);
    const dead = await ended(dying);
    expect([dead.state, dead.deathReason]).to.deep.equal(['dead', 'permanent']);
    expect((await ask('GET', '/v1/jobs?state=dead&queue=live&limit=1')).status).to.equal(200);
    expect((await ask('POST', `/v1/jobs/${dead.id}/replay`)).status).to.equal(202);
    const { body: later } = await ask<Accepted>('POST', '/v1/jobs', { ...dying, delayMs: 3_600_000 });
    expect((await ask('POST', `/v1/jobs/${later.id}/cancel`)).status).to.equal(202);
    expect((await untilEnded(dead.id)).attempts).to.have.length.at.least(1);
  });

  it('answers for dead letters as described: found, counted, replayed, stopped, discarded', async () => {
    const dead = await Promise.all([ended(dying), ended(dying)]);
    const ids = dead.map(({ id }) => id);
    expect((await ask('GET', `/v1/dead-letters?group=${dead[0]?.errorGroup}`)).status).to.equal(200);
    const slow = { filter: { ids }, ratePerSecond: 0.01 };
    await ask('POST', '/v1/dead-letters/replay', { ...slow, dryRun: true });
    const { body } = await ask<RedriveAccepted>('POST', '/v1/dead-letters/replay', slow);
    await ask('GET', `/v1/dead-letters/replays/${body.id}`);
    expect((await ask('POST', `/v1/dead-letters/replays/${body.id}/stop`)).status).to.equal(202);
    expect((await ask('POST', '/v1/dead-letters/discard', { filter: { ids } })).status).to.equal(202);
    await ask('GET', '/v1/dead-letters/replays?limit=1');
  });

  it('answers for queues, the audit and itself as described', async () => {
    for (const verb of ['pause', 'resume', 'purge']) await ask('POST', `/v1/queues/live/${verb}`);
    for (const path of ['/v1/queues', '/v1/queues/live', '/v1/audit', '/livez', '/readyz', '/metrics'])
      expect((await ask('GET', path)).status, path).to.equal(200);
    for (const path of ['/openapi.json', '/docs'])
      expect((await ask('GET', path)).status, path).to.equal(200);
  });

  it('holds each query parameter to its bounds', async () => {
    let checked = 0;
    const statusOf = async (path: string, name: string, value: unknown): Promise<number> =>
      (await ask('GET', `${path.replace('{id}', '01989f0e-6f3a-7c52-9d0b-3f1d2c4b5a69')}?${name}=${value}`))
        .status;
    for (const { path, operation } of described.operations) {
      for (const { name, schema } of operation.parameters.filter((one) => one.in === 'query')) {
        const { minimum, maximum, enum: values } = schema;
        const right = values ?? (minimum === undefined ? [] : [minimum, maximum]);
        const wrong =
          values === undefined && minimum === undefined
            ? ['']
            : [...(values ? ['odd'] : []), (maximum ?? 0) + 1, 'x', ''];
        for (const value of right)
          expect(await statusOf(path, name, value), `${name}=${value}`).to.be.oneOf([200, 404]);
        for (const value of wrong)
          expect(await statusOf(path, name, value), `${name}=${value}`).to.equal(400);
        checked += 1;
      }
    }
    expect(checked).to.equal(12);
  });

  it('has answered a request to each of its operations', () => {
    expect([...answered].toSorted()).to.deep.equal(
      described.operations.map(({ operation }) => operation.operationId).toSorted(),
    );
  });
});
