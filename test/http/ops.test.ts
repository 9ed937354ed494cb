import { expect } from 'chai';
import { Unavailable } from '../../src/job/errors.js';
import type { Health } from '../../src/runtime/service.js';
import { expectProblem } from './support/problem.js';
import { serve } from './support/serve.js';

describe("the operators' routes", () => {
  it('say live whatever the broker does', async () => {
    const served = await serve();
    served.broker.healthNow = { ok: false, reason: 'not connected' };
    const reply = await served.ask({ method: 'GET', path: '/livez' });
    expect([reply.status, reply.text]).to.deep.equal([200, '{"status":"live"}']);
    await served.close();
  });

  it('say ready while everything asked is', async () => {
    const served = await serve();
    const reply = await served.ask({ method: 'GET', path: '/readyz?probe=1' });
    expect([reply.status, reply.text]).to.deep.equal([200, '{"status":"ready"}']);
    await served.close();
  });

  it('say 503 with a reason for everything that is not', async () => {
    const health: Record<string, () => Health> = {
      broker: () => ({ ok: false, reason: 'blocked by an alarm' }),
      worker: () => ({ ok: true }),
      odd: () => {
        throw new Unavailable('cannot tell');
      },
    };
    const served = await serve({ health });
    const reply = await served.ask({ method: 'GET', path: '/readyz' });
    expectProblem(reply, 503, 'broker_unavailable');
    expect(reply.json<object>()).to.deep.include({
      reasons: { broker: 'blocked by an alarm', odd: 'cannot tell' },
    });
    expect(reply.headers['retry-after']).to.equal('1');
    await served.close();
  });

  it('render the metrics under their own media type', async () => {
    const served = await serve();
    const reply = await served.ask({ method: 'GET', path: '/metrics' });
    expect([reply.status, reply.text]).to.deep.equal([200, 'sluice_broker_up 1\n']);
    expect(reply.headers['content-type']).to.equal('text/plain; version=0.0.4');
    await served.close();
  });

  it('answer 500 when the metrics cannot be rendered', async () => {
    const served = await serve({
      metrics: { contentType: 'text/plain', render: () => Promise.reject(new Error('inner')) },
    });
    expectProblem(await served.ask({ method: 'GET', path: '/metrics' }), 500, 'internal_error');
    expect(served.observed.refused).to.deep.equal([]);
    await served.close();
  });

  it('answer HEAD without a body, and no other method', async () => {
    const served = await serve();
    const head = await served.ask({ method: 'HEAD', path: '/readyz' });
    expect([head.status, head.text, head.headers['content-length']]).to.deep.equal([200, '', '18']);
    const post = await served.ask({ path: '/livez' });
    expectProblem(post, 405, 'method_not_allowed');
    expect(post.headers['allow']).to.equal('HEAD, GET');
    await served.close();
  });

  it('are all there is on a server without ingestion', async () => {
    const { createHttp } = await import('../../src/http/app.js');
    const { createLog } = await import('../../src/runtime/log.js');
    const http = createHttp({
      host: '127.0.0.1',
      port: 0,
      keys: [],
      health: {},
      metrics: { contentType: 'text/plain', render: () => Promise.resolve('') },
      log: createLog('silent'),
    });
    await http.start();
    const statuses = await Promise.all(
      ['/livez', '/readyz', '/metrics', '/v1/jobs', '/v1/jobs/batch'].map(
        async (path) => (await fetch(http.address.url + path)).status,
      ),
    );
    expect(statuses).to.deep.equal([200, 200, 200, 404, 404]);
    await http.stop();
  });
});
