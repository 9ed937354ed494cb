import { expect } from 'chai';
import { createDeferred } from '../support/deferred.js';
import { eventually } from '../support/eventually.js';
import { freshDatabase } from '../support/postgres.js';
import { type Sink, type SinkAnswer, startSink } from '../support/sink.js';
import { openStage, type Stage } from './stage.js';

for (const store of ['SQLite', 'PostgreSQL'] as const) {
  describe(`the read side on RabbitMQ and ${store}`, function () {
    this.timeout(120_000);
    let stage: Stage;
    let sink: Sink;
    let answer: () => SinkAnswer | Promise<SinkAnswer>;
    const open = async (): Promise<Stage> => {
      const databaseUrl = store === 'PostgreSQL' ? await freshDatabase() : undefined;
      return openStage({
        queues: ['default', 'mail'],
        env: { QUEUES: 'mail', ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }) },
      });
    };
    beforeEach(async () => {
      answer = () => ({ status: 204 });
      sink = await startSink(() => answer());
    });
    afterEach(() => sink.close());

    const push = (fields: object = {}): object => ({
      type: 'http.push',
      payload: { url: sink.url },
      ...fields,
    });

    describe('as it runs', () => {
      before(async () => {
        stage = await open();
        await stage.serve();
        await Promise.all([stage.record(), stage.work()]);
      });
      after(() => stage.close());

      it('holds an answer with ?wait until the job has ended', async () => {
        const release = createDeferred<SinkAnswer>();
        const arrived = createDeferred();
        answer = () => {
          arrived.resolve();
          return release.promise;
        };
        const id = await stage.submit(push());
        let hasEnded = false;
        const waiting = stage.call('GET', `/v1/jobs/${id}?wait=60`).finally(() => {
          hasEnded = true;
        });
        await arrived.promise;
        await eventually(async () => (await stage.call('GET', `/v1/jobs/${id}`)).body.state === 'active');
        expect(hasEnded).to.equal(false);
        release.resolve({ status: 204 });
        const { status, body } = await waiting;
        expect([status, body.state, body.result]).to.deep.equal([200, 'succeeded', { status: 204 }]);
      });

      it('runs a dead job again, with its attempts on record', async () => {
        answer = () => ({ status: 422 });
        const id = await stage.submit(push());
        const dead = await stage.call('GET', `/v1/jobs/${id}?wait=60`);
        expect([dead.body.state, dead.body.deathReason, dead.body.run]).to.deep.equal([
          'dead',
          'permanent',
          1,
        ]);
        expect((await stage.call('POST', `/v1/jobs/${id}/cancel`)).status).to.equal(409);
        answer = () => ({ status: 204 });
        expect((await stage.call('POST', `/v1/jobs/${id}/replay`)).body).to.include({
          id,
          run: 2,
          state: 'queued',
        });
        const { body } = await stage.call('GET', `/v1/jobs/${id}?wait=60`);
        expect([body.state, body.run, body.attempts.length]).to.deep.equal(['succeeded', 2, 1]);
        expect((await stage.verify('--wait', '60')).report).to.include({ verdict: 'clean', unaccounted: 0 });
      });

      it('aborts a running job that is cancelled', async () => {
        const arrived = createDeferred();
        answer = () => {
          arrived.resolve();
          return new Promise(() => {});
        };
        const id = await stage.submit(push());
        await arrived.promise;
        expect((await stage.call('POST', `/v1/jobs/${id}/cancel`)).status).to.equal(202);
        const { body } = await stage.call('GET', `/v1/jobs/${id}?wait=60`);
        expect([body.state, body.attempt]).to.deep.equal(['cancelled', 1]);
      });
    });

    describe('from the start', () => {
      beforeEach(async () => {
        stage = await open();
      });
      afterEach(() => stage.close());

      it('never says 404 of a job that it has just accepted, also while nobody records', async () => {
        await stage.serve();
        const single = await Promise.all(
          Array.from({ length: 50 }, async () => {
            const id = await stage.submit(push());
            return stage.call('GET', `/v1/jobs/${id}`);
          }),
        );
        const batch = await stage.call(
          'POST',
          '/v1/jobs/batch',
          Array.from({ length: 300 }, () => push()),
        );
        const of = await Promise.all(
          (batch.body.ids as string[]).map((id) => stage.call('GET', `/v1/jobs/${id}`)),
        );
        expect(
          new Set([...single, ...of].map(({ status, body }) => `${status} ${body.state} ${body.recorded}`)),
        ).to.deep.equal(new Set(['200 queued false']));
        await Promise.all([stage.record(), stage.work({ WORKER_CONCURRENCY: '50' })]);
        const ended = await stage.call('GET', `/v1/jobs/${batch.body.ids.at(-1)}?wait=60`);
        expect([ended.body.state, ended.body.recorded]).to.deep.equal(['succeeded', true]);
      });

      it('makes one job of one key at two servers, also of an item of a batch', async () => {
        const addresses = [await stage.serve(), await stage.serve()];
        const key = { 'idempotency-key': 'order-7' };
        const said = await Promise.all(
          Array.from({ length: 20 }, (_, n) => stage.call('POST', '/v1/jobs', push(), key, addresses[n % 2])),
        );
        expect(new Set(said.map(({ status, body }) => `${status} ${body.id}`))).to.have.property('size', 1);
        expect(said[0]?.status).to.equal(202);
        expect(said.filter(({ headers }) => headers['idempotency-replayed'] === 'false')).to.have.length(1);
        const items = Array.from({ length: 20 }, (_, n) => push({ idempotencyKey: `item-${n}` }));
        const batches = await Promise.all(
          [0, 1, 0, 1].map((at) => stage.call('POST', '/v1/jobs/batch', items, {}, addresses[at])),
        );
        expect(batches.map(({ status, body }) => [status, body.ids])).to.deep.equal(
          Array.from({ length: 4 }, () => [202, batches[0]?.body.ids]),
        );
        await Promise.all([stage.record(), stage.work()]);
        const last = await stage.submit(push({ priority: 'low' }));
        await stage.call('GET', `/v1/jobs/${last}?wait=60`);
        await sink.untilDistinct(22);
        expect(sink.total).to.equal(22);
        const { report } = await stage.verify('--wait', '60');
        expect(report).to.include({ verdict: 'clean', unaccounted: 0 });
        expect(report.accepted).to.deep.equal({ told: 22, again: 0, implied: 0 });
      });

      it('keeps a queue paused through a restart of all processes', async () => {
        await stage.serve();
        await Promise.all([stage.record(), stage.work()]);
        expect((await stage.call('POST', '/v1/queues/default/pause')).status).to.equal(202);
        const held = await stage.submit(push());
        await stage.recorded(held);
        await stage.killAll();
        await stage.serve();
        await Promise.all([stage.record(), stage.work()]);
        const other = await stage.submit(push({ queue: 'mail' }));
        expect((await stage.call('GET', `/v1/jobs/${other}?wait=60`)).body.state).to.equal('succeeded');
        const behind = await stage.submit(push());
        expect((await stage.call('GET', '/v1/queues/default')).body).to.include({ isPaused: true });
        expect([...sink.counts.keys()]).to.deep.equal([other]);
        expect((await stage.call('POST', '/v1/queues/default/resume')).status).to.equal(202);
        for (const id of [held, behind])
          expect((await stage.call('GET', `/v1/jobs/${id}?wait=60`)).body.state).to.equal('succeeded');
      });
    });
  });
}
